# SPDX-License-Identifier: MIT
# Answers an upload by its head alone, with libhttp-daemon-perl: the loop of its manual page.
use strict;
use warnings;
use HTTP::Daemon;
use HTTP::Response;

my $daemon = HTTP::Daemon->new(LocalAddr => '127.0.0.1', LocalPort => $ARGV[0]) or die "listen: $!";
while (my $connection = $daemon->accept) {
	if ($connection->get_request(1)) {
		$connection->send_response(HTTP::Response->new(413, undef, ['Content-Length' => 204800], 'x' x 204800));
	}
	$connection->close;
}
