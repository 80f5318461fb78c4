"""Cinder's file driver, able to grow a volume that a server uses. Debian's refuses that, and leaves error_extending."""
import os

from cinder.volume.drivers import nfs


class GrowingFiles(nfs.NfsDriver):
    def extend_volume(self, volume, new_size):
        if not self._is_volume_attached(volume):
            return super().extend_volume(volume, new_size)
        # qemu-img would want the lock that the running qemu holds; a sparse raw file needs no tool.
        os.truncate(self.local_path(volume), int(new_size) << 30)
