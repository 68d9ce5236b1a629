/*
 * One thread is blocked in a send of 8 MiB while another closes the descriptor; then the client reads. Prints what the send returned and
 * what arrived: "sent 8388608, received 8388608".
 */
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BYTES = 8 << 20 };

static int server;
static ssize_t sent;

static void *send_all(void *nothing)
{
	static char bytes[BYTES];

	sent = send(server, bytes, sizeof(bytes), MSG_NOSIGNAL);
	return nothing;
}

int main(void)
{
	static char bytes[1 << 20];
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
	pthread_t thread;
	ssize_t got;
	long received = 0;

	alarm(30);
	bind(listener, (struct sockaddr *)&address, length);
	listen(listener, 1);
	getsockname(listener, (struct sockaddr *)&address, &length);
	if (connect(client, (struct sockaddr *)&address, length) < 0)
		return 1;
	server = accept(listener, NULL, NULL);
	pthread_create(&thread, NULL, send_all, NULL);
	usleep(300000); /* the buffers are full, the thread is blocked */
	close(server);
	usleep(100000);
	while ((got = read(client, bytes, sizeof(bytes))) > 0)
		received += got;
	pthread_join(thread, NULL);
	printf("sent %zd, received %ld\n", sent, received);
	return 0;
}
