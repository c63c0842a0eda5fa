#!/bin/sh
# Written by `tidegate client-config`; `tidegate client-config --form auto-detect --undo` says how to take it back.
#
# apt runs this once for each host (Acquire::http::Proxy-Auto-Detect), as the user _apt, the URL being its
# argument. The one line that it prints is the proxy: the gateway where it answers within a second, else DIRECT.
# It must never fail: apt would fail with it.

host='@HOST@'
port='@PORT@'
url='@URL@'

# perl-base is essential on Debian and Ubuntu; the others are for images from which it was taken out. An open
# port is not enough, a process that hangs has one too: any line of HTTP will do.
answers() {
	if command -v perl; then
		timeout -s KILL 0.9 perl -MIO::Socket::IP -e '
			my $gateway = IO::Socket::IP->new(PeerHost => $ARGV[0], PeerPort => $ARGV[1], Timeout => 0.8) or exit 1;
			print $gateway "HEAD / HTTP/1.1\r\nHost: $ARGV[0]\r\nConnection: close\r\n\r\n";
			my $line = <$gateway>;
			exit(defined $line && $line =~ m{^HTTP/1} ? 0 : 1);
		' "$host" "$port"
	elif command -v python3; then
		timeout -s KILL 0.9 python3 -SIc '
import socket, sys
gateway = socket.create_connection(sys.argv[1:], 0.8)
gateway.sendall(b"HEAD / HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n")
sys.exit(not gateway.recv(16).startswith(b"HTTP/1"))
' "$host" "$port"
	elif command -v curl; then
		timeout -s KILL 0.9 curl --silent --noproxy '*' --head --output /dev/null "$url/"
	elif command -v nc; then
		printf 'HEAD / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n' "$host" |
			timeout -s KILL 0.9 nc "$host" "$port" | grep -q '^HTTP/1'
	else
		return 1
	fi
}

if answers >/dev/null 2>&1; then
	echo "$url"
else
	echo DIRECT
fi
exit 0
