"""The store's URL is checked at the start, by kind and form."""

from __future__ import annotations

import pytest

from sekisho.model import SettingsError
from sekisho.settings.store import Several, is_unverified, store


@pytest.mark.parametrize(
    "url",
    [
        "memory://",
        "redis://redis",
        "redis://redis:6379/0",
        "redis://user:p%40ss@[::1]:6379/15?client_name=a",
        "rediss://:pw@redis:6380/0?ssl_ca_certs=/etc/ca.pem",
        "redis+unix:///run/redis.sock?db=1",
        "unix:///run/redis.sock",
        "unix://:pw@/run/redis.sock",
        "redis+sentinel://s1:26379,s2,[::1]:26380/service",
        "rediss+sentinel://user:p%40ss@s1,s2/my-service.1?db=2&ssl_ca_certs=/etc/ca.pem&sentinel_password=p%26w",
        "redis+cluster://n1:7000,n2:7001,n3",
        "rediss+cluster://user:pw@n1/?ssl_cert_reqs=required",
    ],
)
def test_urls_that_can_work_are_kept_as_they_are(url: str) -> None:
    """Usable URLs are kept unchanged: redis-py reads all its options."""
    assert url == store(url, "X")


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("redis+sentinel://h:1,h:2", "wants hosts with commas between them, then / and the service's name at Sentinel"),
        ("redis+sentinel://h:1,/service", "wants hosts with commas between them, then /"),
        ("redis+sentinel://h:1/serv/ice", "wants hosts with commas between them, then /"),
        ("redis+sentinel://h:0/service", "wants hosts with commas between them, then /"),
        ("redis+sentinel://h:99999/service", "wants hosts with commas between them, then /"),
        ("redis+sentinel://:pa/ss@h/service", "wants hosts with commas between them, then /"),
        ("redis+sentinel://h/service#1", "wants hosts with commas between them, then /"),
        ("redis+sentinel://h/service?db=x", "has a database that is no number"),
        ("redis+cluster://", "wants hosts with commas between them, and no database: a Cluster has one; possible"),
        ("redis+cluster://h:1 ,h:2", "wants hosts with commas between them, and no database"),
        ("redis+cluster://h:1,h:2/0", "wants hosts with commas between them, and no database"),
        ("redis+cluster://h:1,h:2?db=0", "has an option that sekisho does not pass on"),
        ("redis+cluster://h:1?sentinel_password=x", "has an option that sekisho does not pass on"),
        ("redis+cluster://" + ",".join(["h"] * 65), "wants hosts with commas between them, and no database"),
        ("postgres://h/db", "names no kind of store that sekisho knows; possible are memory://, redis://"),
        ("http://redis", "names no kind of store that sekisho knows; possible are"),
        ("redis", "is no URL"),
        ("REDIS://redis", "names no kind of store"),
        ("redis:6379", "names no kind of store"),
        ("file", "names no kind of store"),
        ("memory://x", "names no kind of store"),
        ("memory:///", "names no kind of store"),
        ("redis://", "wants a host"),
        ("redis:///0", "wants a host"),
        ("redis://:6379", "wants a host"),
        ("redis://redis/zero", "wants a host, and after it at most a database number"),
        ("redis://redis/0/1", "at most a database number"),
        ("redis://redis:port/0", "is no URL. In a password, write"),
        ("redis://redis:99999/0", "is no URL"),
        ("redis://redis:0/0", "is no URL"),
        ("redis://:pa#ss@redis/0", "is no URL. In a password, write"),
        ("redis://redis/0#ss", "is no URL. In a password, write"),
        ("redis://:pa/ss@redis/0", "is no URL. In a password, write"),
        ("redis://[::1/0", "is no URL"),
        ("redis://re dis", "is no URL"),
        ("redis://redis\n", "is no URL"),
        ("unix://", "wants the absolute path of a socket"),
        ("unix://run/redis.sock", "wants the absolute path of a socket"),
        ("redis://redis?db=x", "has a database that is no number"),
        ("redis://redis?db=1&db=2", "has the same option twice"),
        ("redis://redis?socket_timout=1", "has an option that sekisho does not pass on"),
        ("redis://redis?retry_on_timeout=yes", "has an option that sekisho does not pass on"),
    ],
)
def test_urls_that_cannot_are_refused(url: str, problem: str) -> None:
    """Unusable URLs are refused at the start with the possible forms, and not repeated."""
    with pytest.raises(SettingsError) as caught:
        store(url, "X")

    assert problem in str(caught.value)
    assert url not in str(caught.value).replace(caught.value.problem.partition("possible are")[2], "")


def test_a_connection_without_verification_is_known() -> None:
    """TLS without verification is detected, for a warning."""
    assert is_unverified("rediss://redis?ssl_cert_reqs=none")
    assert is_unverified("rediss://redis?ssl_cert_reqs=optional")
    assert not is_unverified("rediss://redis?ssl_cert_reqs=required")
    assert not is_unverified("rediss://redis")
    assert is_unverified("rediss+cluster://n1,n2?ssl_cert_reqs=none")


def test_several_servers_are_reached_like_one() -> None:
    """Several servers are redis-py URLs each; user, password, TLS and database go to the data nodes."""
    several = Several.of("rediss+sentinel://user:p%40ss@s1,[::1]:7/svc?db=2&ssl_ca_certs=/ca&sentinel_password=p%26w")

    assert several.hosts == (("s1", 26_379), ("::1", 7))
    assert several.service == "svc"
    assert several.server_url("10.0.0.1", 6_380) == "rediss://user:p%40ss@10.0.0.1:6380/?db=2&ssl_ca_certs=%2Fca"
    assert several.sentinel_url("::1", 7) == "rediss://:p%26w@[::1]:7/?ssl_ca_certs=%2Fca"


def test_sentinels_are_not_told_the_servers_password() -> None:
    """Sentinels have their own users and are not sent the servers' password."""
    several = Several.of("redis+sentinel://user:pass@s1/svc?client_name=shop")

    assert several.sentinel_url(*several.hosts[0]) == "redis://s1:26379/"
    assert several.server_url("h", 1) == "redis://user:pass@h:1/?client_name=shop"
