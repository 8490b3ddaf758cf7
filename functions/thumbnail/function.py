"""Makes an image smaller: takes its bytes, returns a PNG of at most 256 pixels a side.

    cloudfunc invoke thumbnail --data @photo.jpg --content-type image/jpeg > thumbnail.png
"""

import io

from PIL import Image, ImageOps

SIZE = (256, 256)
# Those that a PNG can have; others, such as CMYK, are converted.
MODES = ("L", "LA", "P", "RGB", "RGBA")


def handler(event):
    if not isinstance(event, bytes):
        raise TypeError("an image is sent as its bytes, with its content type, for example image/jpeg")
    with Image.open(io.BytesIO(event)) as image:
        image.thumbnail(SIZE)
        # As the camera was held.
        image = ImageOps.exif_transpose(image)
        if image.mode not in MODES:
            image = image.convert("RGB")
        thumbnail = io.BytesIO()
        image.save(thumbnail, "PNG")
    return thumbnail.getvalue()
