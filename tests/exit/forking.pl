# SPDX-License-Identifier: MIT
# A server with a process for each connection, which answers and exits: as Perl's manual (perlipc) writes them.
use strict;
use warnings;
use IO::Socket::INET;

$SIG{CHLD} = 'IGNORE';
my $listener = IO::Socket::INET->new(Listen => 64, LocalAddr => '127.0.0.1') or die $@;
$| = 1;
print 'listening ', $listener->sockport, "\n";
while (my $client = $listener->accept) {
	next if fork;
	my ($line, $byte) = ('', '');
	$line .= $byte while sysread($client, $byte, 1) && $byte ne "\n";
	my (undef, $count) = split ' ', $line;
	syswrite $client, join '', map { chr(97 + $_ % 23) } 0 .. $count - 1;
	exit;
}
