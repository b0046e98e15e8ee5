"""Programs in front of services: on PATH, beside Debian's other programs for administrators, or installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.servers import on_path_or_from_apt

PATH = f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin"
_PACKAGES = {
    "nft": "nftables",
    "haproxy": "haproxy",
    "nginx": "nginx-light",
    "caddy": "caddy",
    "ip": "iproute2",
    "unshare": "util-linux",
}
_CROWDSEC = ("crowdsec", "cscli")


def tool(name: str) -> str:
    """The path of a program. Raises `RuntimeError`: a test that skips without it would claim nothing."""
    if name in _CROWDSEC:
        return on_path_or_from_apt(name, "crowdsec", lambda: _on_path(name), _unpack)
    return on_path_or_from_apt(name, _PACKAGES[name], lambda: _on_path(name))


def in_namespace() -> list[str]:
    """What begins a command that runs in a network namespace of its own, as its root."""
    return [tool("unshare"), "--net"] if os.getuid() == 0 else [tool("unshare"), "--map-root-user", "--net"]


def _on_path(name: str) -> str | None:
    return shutil.which(name, path=PATH)


def _unpack(package: str) -> None:
    """Debian's package registers at its makers' API while it is configured, so its two programs are unpacked alone."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["apt-get", "-qq", "download", package], cwd=folder, check=False, stderr=subprocess.DEVNULL)
        for file in Path(folder).glob(f"{package}_*.deb"):
            subprocess.run(["dpkg-deb", "-x", file, folder], check=True)
            for name in _CROWDSEC:
                shutil.copy(Path(folder) / "usr/bin" / name, "/usr/local/bin")
