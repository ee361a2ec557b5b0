"""Networks of the ESRGAN family, which make pictures larger: RRDBNet and SRVGGNetCompact."""
