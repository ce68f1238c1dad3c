"""From configuration to blocks: the one place where numbers become modules."""

from polyglance.systems.builders.image import build_backbone, build_image_encoder
from polyglance.systems.builders.mini import build_mini_heads
from polyglance.systems.builders.single_stream import build_single_stream
from polyglance.systems.builders.system import build_loss, build_matching, build_system
from polyglance.systems.builders.text import build_text_encoder

__all__ = [
    "build_backbone",
    "build_image_encoder",
    "build_loss",
    "build_matching",
    "build_mini_heads",
    "build_single_stream",
    "build_system",
    "build_text_encoder",
]
