# SPDX-License-Identifier: MIT
# What Perl makes of sockets, processes and users. Says what came of each.
use strict;
use warnings;
use Socket;
$| = 1;

socket(my $server, PF_INET, SOCK_STREAM, 0) or die $!;
bind($server, sockaddr_in(0, INADDR_LOOPBACK)) or die $!;
listen($server, 1) or die $!;
socket(my $client, PF_INET, SOCK_STREAM, 0) or die $!;
connect($client, getsockname($server)) or die $!;
accept(my $accepted, $server) or die $!;
setsockopt($accepted, SOL_SOCKET, SO_LINGER, pack('ii', 1, 1)) or die $!;
send($client, "question\n", 0);
shutdown($client, 1);
recv($accepted, my $start, 4, 0);
print "$start ", scalar(<$accepted>);
open(my $copy, '+<&', $accepted) or die $!;
close $accepted;
syswrite($copy, "answer\n");
open(STDIN, '<&', $copy) or die $!;
close $copy;
open(STDIN, '<', '/dev/null') or die $!;
print <$client>;

my $nobody = $< == 0 ? 65534 : $<;
for my $how (qw(effective real both exec)) {
	my $child = fork // die $!;
	if ($child == 0) {
		if ($how eq 'effective') { $) = $nobody; $> = $nobody; }
		if ($how eq 'real') { $( = $nobody; $< = $nobody; }
		if ($how eq 'both') { ($(, $)) = ($nobody, $nobody); ($<, $>) = ($nobody, $nobody); }
		if ($how eq 'exec') { exec 'sh', '-c', 'echo executed' }
		print "$how: $< $> ", $( + 0, ' ', $) + 0, "\n";
		exit 0;
	}
	waitpid $child, 0;
}
print `echo from a shell; exit 3`, $? >> 8, "\n";
print system('sh', '-c', 'exit 4') >> 8, "\n";
