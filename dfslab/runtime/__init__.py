"""What makes the core real: threads, gRPC servers, the TCP data plane, the disk, the catalog."""
