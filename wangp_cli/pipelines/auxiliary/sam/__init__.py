"""SAM 2 and SAM 3: masks of objects that points, boxes or words mark, in a frame or through a clip.

The models are those of transformers. Their processors need torchvision, so what they do is done here.
"""
