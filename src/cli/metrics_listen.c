/* SPDX-License-Identifier: MIT */
/*
 * lastack metrics --listen: GET /metrics over HTTP. One request at a time: each takes a look at all regions and at the kernel.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cli.h"
#include "metrics.h"

enum { CONNECTIONS = 8, IDLE_S = 10 };

static enum MHD_Result respond(struct MHD_Connection *connection, unsigned int status,
	const char *type, char *text, size_t length, enum MHD_ResponseMemoryMode mode)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(length, text, mode);
	enum MHD_Result result;

	if (!response)
		return MHD_NO;
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result answer(void *context, struct MHD_Connection *connection, const char *url,
	const char *method, const char *version, const char *upload, size_t *upload_bytes,
	void **state)
{
	static char nothing[] = "lastack: metrics are at /metrics\n",
		    only_get[] = "GET or HEAD only\n",
		    failed[] = "lastack: the regions could not be read\n";
	size_t length;
	char *text;
	int status;

	(void)context, (void)version, (void)upload, (void)state;
	*upload_bytes = 0;
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
		return respond(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "text/plain", only_get,
			strlen(only_get), MHD_RESPMEM_PERSISTENT);
	if (strcmp(url, "/metrics") != 0)
		return respond(connection, MHD_HTTP_NOT_FOUND, "text/plain", nothing,
			strlen(nothing), MHD_RESPMEM_PERSISTENT);
	text = la_metrics_text(&length, &status);
	if (!text)
		return respond(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, "text/plain", failed,
			strlen(failed), MHD_RESPMEM_PERSISTENT);
	return respond(connection, MHD_HTTP_OK,
		"application/openmetrics-text; version=1.0.0; charset=utf-8", text, length,
		MHD_RESPMEM_MUST_FREE);
}

/* "127.0.0.1:9154", "[::1]:9154" or ":9154", which is the loopback. */
static bool parse(const char *where, struct sockaddr_storage *address)
{
	struct sockaddr_in *four = (struct sockaddr_in *)address;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)address;
	const char *colon = strrchr(where, ':');
	char host[64], *end;
	unsigned long port;
	size_t length;

	memset(address, 0, sizeof(*address));
	if (!colon || colon[1] < '0' || colon[1] > '9')
		return false;
	port = strtoul(colon + 1, &end, 10);
	length = (size_t)(colon - where);
	if (*end || port > 65535 || length >= sizeof(host))
		return false;
	memcpy(host, where, length);
	host[length] = '\0';
	if (host[0] == '[' && host[length - 1] == ']') {
		host[length - 1] = '\0';
		six->sin6_family = AF_INET6;
		six->sin6_port = htons((uint16_t)port);
		return inet_pton(AF_INET6, host + 1, &six->sin6_addr) == 1;
	}
	four->sin_family = AF_INET;
	four->sin_port = htons((uint16_t)port);
	four->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return length == 0 || inet_pton(AF_INET, host, &four->sin_addr) == 1;
}

static void wait_for_the_end(void)
{
	struct pollfd end = {.events = POLLIN};
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	end.fd = signalfd(-1, &signals, SFD_CLOEXEC);
	while (end.fd >= 0 && poll(&end, 1, -1) < 0 && errno == EINTR)
		;
}

static void say_where(struct MHD_Daemon *daemon, const struct sockaddr_storage *address)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT);
	char host[64] = "?";

	if (address->ss_family == AF_INET6)
		inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)address)->sin6_addr, host,
			sizeof(host));
	else
		inet_ntop(AF_INET, &((const struct sockaddr_in *)address)->sin_addr, host,
			sizeof(host));
	la_say("listening on http://%s%s%s:%u/metrics", address->ss_family == AF_INET6 ? "[" : "",
		host, address->ss_family == AF_INET6 ? "]" : "", info ? info->port : 0);
}

int la_metrics_listen(const char *where)
{
	struct sockaddr_storage address;
	struct MHD_Daemon *daemon;
	unsigned int flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL;
	sigset_t signals;

	if (!parse(where, &address)) {
		la_say("metrics --listen: write ADDRESS:PORT or [ADDRESS]:PORT, as in "
		       "127.0.0.1:9154");
		return LA_EXIT_USAGE;
	}
	/* For signalfd; also in the thread that answers. */
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	if (address.ss_family == AF_INET6)
		flags |= MHD_USE_IPv6;
	errno = 0;
	daemon = MHD_start_daemon(flags, 0, NULL, NULL, answer, NULL, MHD_OPTION_SOCK_ADDR,
		(const struct sockaddr *)&address, MHD_OPTION_CONNECTION_LIMIT,
		(unsigned int)CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)IDLE_S,
		MHD_OPTION_END);
	if (!daemon) {
		la_say("metrics --listen %s: %s", where, errno ? strerror(errno) : "cannot listen");
		return errno == EACCES ? LA_EXIT_PERMISSION : LA_EXIT_OWN_FAILURE;
	}
	say_where(daemon, &address);
	wait_for_the_end();
	MHD_stop_daemon(daemon);
	return LA_EXIT_OK;
}
