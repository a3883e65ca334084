"""Encoders: what turns a device's images into its latents.

Read `image_encoder` first (what an encoder is and how it is identified), then `imagenet` (pretrained networks that come as packages),
`small` (two that are trained on the spot), `timm`, and last `catalogue`, which finds them by name.
"""
