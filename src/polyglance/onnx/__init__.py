"""Models as ONNX graphs: made with torch, searched with ONNX Runtime alone."""
