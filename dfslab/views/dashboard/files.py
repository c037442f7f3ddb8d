"""The page "Files": upload, download, delete, and damage."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import ipywidgets

from dfslab.core.errors import InvalidOption
from dfslab.core.faults import DAMAGES, Action
from dfslab.views.dashboard.controls import Controls
from dfslab.views.dashboard.fields import Refuse, button, chooser, hint, offer, row
from dfslab.views.dashboard.work import Job

FILES_OFFERED = 200


class FilesPage:
    """Upload and download controls.

    Parameters
    ----------
    controls : Controls
    transfer : callable
        Has a job done in the lane of transfers.
    act : callable
        Has an action done.
    refuse : callable
        Shows why something can't be tried.
    node : callable
        Returns the chosen node.
    """

    def __init__(
        self,
        controls: Controls,
        transfer: Callable[[Job], None],
        act: Callable[[Action], None],
        refuse: Refuse,
        node: Callable[[], str],
    ) -> None:
        self._controls, self._transfer, self._act, self._node = controls, transfer, act, node
        self.chosen = ipywidgets.FileUpload(description="Choose a file", multiple=False)
        self.chosen.add_class("dfs-choose-file")
        self.sample = chooser("sample", "sample", list(controls.samples()), "240px")
        self.file = chooser("file", "file", (), "260px")
        self.how = chooser("how", "how", DAMAGES, "150px")
        self.page = ipywidgets.VBox(
            [
                row(
                    self.sample,
                    button(
                        "Upload sample", "upload-sample", "store a video that comes with dfslab", self._sample, refuse
                    ),
                ),
                row(
                    self.chosen,
                    button("Upload chosen", "upload", "store the file chosen on the left", self._upload, refuse),
                    hint("a few MB at most; larger ones with <code>cluster.upload(path)</code>"),
                ),
                row(
                    self.file,
                    button("Download", "download", "fetch it from all its holders at once", self._download, refuse),
                    button("Delete", "delete", "take it away", self._delete, refuse),
                ),
                row(
                    self.how,
                    button("Corrupt", "corrupt", "damage the chosen node's copy of the file", self._corrupt, refuse),
                    hint("the chosen node's copy of the file"),
                ),
            ]
        )

    def offer(self, files: Sequence[str]) -> None:
        """Tell the list which files there are."""
        offer(self.file, files[:FILES_OFFERED])

    def _sample(self) -> None:
        sample = self.sample.value
        self._transfer(Job(self._controls.sample_python(sample), lambda: self._controls.upload_sample(sample)))

    def _upload(self) -> None:
        if not self.chosen.value:
            raise InvalidOption(option="file", value="''", reason="choose one first")
        name, content = self.chosen.value[0]["name"], bytes(self.chosen.value[0]["content"])
        self.chosen.value = ()  # its bytes would stay in memory
        self._transfer(Job(f"cluster.upload(data, name={name!r})", lambda: self._controls.upload(content, name)))

    def _download(self) -> None:
        name = self._name()
        self._transfer(Job(f"cluster.download({name!r})", lambda: self._controls.download(name)))

    def _delete(self) -> None:
        name = self._name()

        def delete() -> str:
            self._controls.delete(name)
            return ""

        self._transfer(Job(f"cluster.delete({name!r})", delete))

    def _corrupt(self) -> None:
        self._act(Action("corrupt", {"name": self._name(), "keeper": self._node(), "how": self.how.value}))

    def _name(self) -> str:
        if not self.file.value:
            raise InvalidOption(option="file", value="''", reason="there is no file yet; upload one first")
        return str(self.file.value)
