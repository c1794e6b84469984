"""A trial's progress where its run is mirrored to: written every few seconds, and kept until the mirror has caught up.

The journal of such a run lies beside the driver, and its mirror is behind by up to `MIRRORED` seconds. Were the
driver's machine lost, a trial would go on after the epoch that the mirror knows, or after the last one before it
whose progress is there: so progress goes only when it is older than the mirror can be.
"""

from __future__ import annotations

import io
import time

import torch

from trainables.checkpoint import NUMBER, progress, progress_files, progress_of
from trainables.files import put
from trainables.remote import KEPT, WRITTEN, RemotePath
from trainables.run import Run


class RemoteProgress:
    """Keeps the progress of one trial."""

    def __init__(self, folder: RemotePath) -> None:
        self._folder = folder
        self._since: dict[int, float] = {}  # epoch -> when its progress was written, or found

    def save(self, run: Run, epoch: int) -> None:
        """Write the progress after ``epoch`` if the last writing was long enough ago, and delete what is too old.

        Raises:
            Unwritable: the place cannot be written.
        """
        now = time.monotonic()
        if not self._since:
            found = (NUMBER.fullmatch(file.name) for file in progress_files(self._folder))
            self._since = {int(each[1]): now for each in found if each and int(each[1]) < epoch}
        elif now < max(self._since.values()) + WRITTEN:
            return
        buffer = io.BytesIO()
        torch.save(progress_of(run, epoch), buffer)
        put(buffer.getvalue(), progress(self._folder, epoch))
        self._since[epoch] = now
        for old in self._too_old(now):
            progress(self._folder, old).unlink()
            del self._since[old]

    def _too_old(self, now: float) -> list[int]:
        """Return the epochs that nobody can ask for any more: all old ones but the last."""
        return sorted(epoch for epoch, since in self._since.items() if since < now - KEPT)[:-1]
