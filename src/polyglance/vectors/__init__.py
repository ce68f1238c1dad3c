"""Word vectors that several languages share: trained, aligned, joined and measured."""
