#!/bin/sh
# Written by `tidegate client-config`; `tidegate client-config --form report-timer --undo` says how to take it back.
#
# Tells the gateway what this host has: one short request where nothing changed, else the whole report. What is in a
# report: docs/fleet.md, or run this with --print. It changes nothing, and needs no rights but to read the token.
# Ends with 0 where the gateway knows, else with 1 and a sentence.

url='@URL@/fleet/report'
host='@HOST@'
port='@PORT@'
token=${1:-/etc/tidegate/report-token}

report() {
	@COMMAND@
}

if [ "$token" = --print ]; then
	report
	exit
fi

fail() {
	echo "tidegate report: $*" >&2
	exit 1
}

# The query is the argument, the body on standard input. Prints what the gateway says, and on a last line its status.
# perl-base is essential on Debian and Ubuntu. The token appears on no command line.
send() {
	if command -v curl >/dev/null; then
		{
			printf 'header = "Authorization: Bearer %s"\nheader = "Content-Encoding: gzip"\n' "$(cat "$token")" |
				curl --silent --show-error --noproxy '*' --max-time 60 --write-out '\n%{http_code}' \
					--config - --data-binary @/dev/fd/3 "$url?$1"
		} 3<&0
	else
		perl -MIO::Socket::IP -e '
			my ($host, $port, $query, $token) = @ARGV;
			open(my $file, "<", $token) or die "$token: $!\n";
			chomp(my $secret = <$file>);
			local $/;
			my $body = <STDIN>;
			$SIG{ALRM} = sub { die "no answer within 60 s\n" };
			alarm 60;
			my $gateway = IO::Socket::IP->new(PeerHost => $host, PeerPort => $port, Timeout => 20) or die "$@\n";
			print $gateway "POST /fleet/report?$query HTTP/1.1\r\nHost: $host:$port\r\nConnection: close\r\n",
				"Authorization: Bearer $secret\r\nContent-Encoding: gzip\r\n",
				"Content-Length: ", length($body), "\r\n\r\n", $body;
			<$gateway> =~ m{^HTTP/1\.\d (\d+).*?\r\n\r\n(.*)}s or die "no answer\n";
			print "$2\n$1";
		' "$host" "$port" "$1" "$token"
	fi
}

told() {
	status=$(printf '%s\n' "$answer" | tail -n 1)
	sentence=$(printf '%s\n' "$answer" | sed '$d' | tr -cd '[:print:]\n')
}

[ -r "$token" ] || fail "$token: there is no token that can be read"
# One at a time, so that of two reports the newer comes last.
exec 9<"$token"
if command -v flock >/dev/null; then
	flock -w 60 9
fi

report=$(report 2>/dev/null)
case $report in
*"
end") ;;
*) fail "this host could not tell what it has: is dpkg-query there?" ;;
esac
sum=$(printf '%s\n' "$report" | sha256sum | cut -c1-64)
id=$(printf '%s\n' "$report" | sed -n 's/^host[[:blank:]]\([0-9a-f]*\)[[:blank:]].*/\1/p')

answer=$(send "host=$id&sha256=$sum" </dev/null) || fail "$url does not answer"
told
if [ "$status" = 409 ]; then
	answer=$(printf '%s\n' "$report" | gzip -c | send 'form=report') || fail "$url does not answer"
	told
fi
case $status in
20[04]) ;;
*) fail "$url answered $status: $sentence" ;;
esac
