"""Programs in front of services: on PATH, beside Debian's other programs for administrators, or installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.servers import _alone, _apt_get

PATH = f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin"
_PACKAGES = {"nft": "nftables", "haproxy": "haproxy", "nginx": "nginx-light", "caddy": "caddy", "ip": "iproute2"}
_CROWDSEC = ("crowdsec", "cscli")


def tool(name: str) -> str:
    """The path of a program. Raises `RuntimeError`: a test that skips without it would claim nothing."""
    found = _on_path(name) or _from_apt(name)
    if found is None:
        package = _PACKAGES.get(name, "crowdsec" if name in _CROWDSEC else "util-linux")
        raise RuntimeError(f"no {name}, and apt-get could not install it (or we are not root): install `{package}`")
    return found


def in_namespace() -> list[str]:
    """What begins a command that runs in a network namespace of its own, as its root."""
    return [tool("unshare"), "--net"] if os.getuid() == 0 else [tool("unshare"), "--map-root-user", "--net"]


def _on_path(name: str) -> str | None:
    return shutil.which(name, path=PATH)


def _from_apt(name: str) -> str | None:
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return None
    with _alone("sekisho-apt"):
        # The previous holder of the lock may have installed it.
        if not _on_path(name):
            _apt_get("update")
            if name in _CROWDSEC:
                _unpack_crowdsec()
            elif name in _PACKAGES:
                _apt_get("install", "--yes", "--no-install-recommends", _PACKAGES[name])
        return _on_path(name)


def _unpack_crowdsec() -> None:
    """Debian's package registers at its makers' API while it is configured, so its two programs are unpacked alone."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["apt-get", "-qq", "download", "crowdsec"], cwd=folder, check=False, stderr=subprocess.DEVNULL)
        for package in Path(folder).glob("crowdsec_*.deb"):
            subprocess.run(["dpkg-deb", "-x", package, folder], check=True)
            for name in _CROWDSEC:
                shutil.copy(Path(folder) / "usr/bin" / name, "/usr/local/bin")
