"""Changes of finished frames: upsampling, colours and film grain; streams in, streams out."""
