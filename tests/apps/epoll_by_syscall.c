/*
 * Registers its connection in an epoll set by syscall(2), closes it with unread data, and counts the events that the set reports of it
 * afterwards: "events after close: 0".
 */
#include <netinet/in.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(void)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	struct epoll_event event = {.events = EPOLLIN};
	int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
	int set = epoll_create1(0), server, turn, events = 0;

	alarm(20);
	bind(listener, (struct sockaddr *)&address, length);
	listen(listener, 1);
	getsockname(listener, (struct sockaddr *)&address, &length);
	if (connect(client, (struct sockaddr *)&address, length) < 0)
		return 1;
	server = accept(listener, NULL, NULL);
	syscall(SYS_epoll_ctl, set, EPOLL_CTL_ADD, server, &event);
	if (write(client, "hello", 5) != 5 || epoll_wait(set, &event, 1, 2000) != 1)
		return 1;
	close(server);
	for (turn = 0; turn < 50; turn++)
		events += epoll_wait(set, &event, 1, 10) > 0;
	printf("events after close: %d\n", events);
	return 0;
}
