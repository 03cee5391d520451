"""From preprocessed images to embeddings, by one of two engines: ONNX Runtime, or PyTorch."""
