"""Data sets, read from a local folder, a cache or the network, and checked by checksum.

>>> from fastnn.datasets import concrete
>>> concrete.FEATURES[:3]
('cement', 'slag', 'ash')
"""

from fastnn.datasets import concrete, mnist
from fastnn.datasets._files import DataNotFoundError

__all__ = ["DataNotFoundError", "concrete", "mnist"]
