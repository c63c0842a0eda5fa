"""What survives: blobs by digest, the catalogue, the marks, the journal."""
