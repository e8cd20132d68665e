"""An in-memory Firestore that speaks the real protocol and is as strict as the real one."""

from localcloud.firestore.emulator import FirestoreEmulator
from localcloud.firestore.indexes import CompositeIndex, IndexField
from localcloud.firestore.usage import Counts

__all__ = ["CompositeIndex", "Counts", "FirestoreEmulator", "IndexField"]
