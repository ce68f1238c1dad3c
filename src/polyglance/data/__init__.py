"""Captioned pictures in: manifests, readers, decoding, feature stores, samplers, batches."""
