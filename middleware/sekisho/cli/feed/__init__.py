"""Keep what stands in front of the service in step with the addresses that the limits refuse.

  sekisho feed nftables                              the kernel drops them: nothing reaches the service
  sekisho feed haproxy --socket /run/haproxy/admin.sock --map /etc/haproxy/refused.map
  sekisho feed nginx --file /etc/nginx/refused.conf
  sekisho feed crowdsec                              decisions for its bouncers
  sekisho feed cloudflare --account ID --list ID
  sekisho feed json                                  lines for programs of your own

The service has to publish them: SEKISHO_FEED=on. Every command goes on until it is stopped (SIGTERM, Ctrl-C), and
removes from the front what the front would not end by itself; let a supervisor such as systemd keep it running. It
reads the service's settings, and never gives a trusted proxy, an allowed or a private address to the front. In the
modes monitor and off the front is emptied. docs/feed.md has the lines for each front.
"""

from __future__ import annotations

from sekisho.cli import Command

__all__ = ["COMMANDS"]

COMMANDS = {
    "nftables": Command("drop refused addresses in the kernel"),
    "haproxy": Command("keep a map of HAProxy through its runtime socket"),
    "nginx": Command("write a file that nginx includes, and reload it"),
    "crowdsec": Command("write decisions to CrowdSec's local API", extra="feed"),
    "cloudflare": Command("replace a list of addresses at Cloudflare", extra="feed"),
    "json": Command("print refused addresses as JSON lines"),
}
