/*
 * Puts things of its own where a preload might have put something: a connection where standard error was ("stderr"), or a file over each
 * number above 2 that is open at start and was not opened here ("over FILE"). Then leaves one connection in CLOSE-WAIT for 2 s, so that an
 * action is logged, and tells what arrived in its own: "stray bytes: N".
 */
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int listener = -1;

static int open_pair(int *client)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);

	if (listener < 0) {
		listener = socket(AF_INET, SOCK_STREAM, 0);
		bind(listener, (struct sockaddr *)&address, length);
		listen(listener, 4);
	}
	getsockname(listener, (struct sockaddr *)&address, &length);
	*client = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(*client, (struct sockaddr *)&address, length) < 0)
		perror("connect");
	return accept(listener, NULL, NULL);
}

int main(int count, char **words)
{
	int client, other, fd, highest = -1, stray = 0;
	char bytes[512];

	alarm(20);
	for (fd = 3; fd < 1024; fd++)
		if (fcntl(fd, F_GETFD) >= 0 && fd > 200)
			highest = fd;
	if (open_pair(&client) < 0)
		return 1;
	if (count > 2 && highest >= 0) {
		fd = open(words[2], O_CREAT | O_TRUNC | O_RDWR, 0600);
		dup2(fd, highest);
		close(fd);
	} else if (count <= 2) {
		close(2);
		fd = open_pair(&other); /* the client end gets number 2 */
	}
	shutdown(client, SHUT_WR);
	sleep(2);
	if (count > 2) {
		struct stat status = {.st_size = 0};

		stat(words[2], &status);
		stray = (int)status.st_size;
	} else {
		stray = (int)recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	}
	printf("stray bytes: %d\n", stray < 0 ? 0 : stray);
	return 0;
}
