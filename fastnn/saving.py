"""What makes layers and functions of one's own known to configurations."""

from .registry import register as register_keras_serializable

__all__ = ["register_keras_serializable"]
