/* SPDX-License-Identifier: MIT */
/* The scene before anything in it is changed: leaks of several kinds, and the kernel's sockets that belong to them. */
#include <netinet/tcp.h>

#include "scene.h"

static const char policy_text[] =
	"[close-wait a]\n"
	"match = role server, local-port 80-8080, remote 10.0.0.0/8, exe server, eof read\n"
	"after 1s = log\nafter 2s = keepalive\nafter 3s = log\nafter 1h = reset\n"
	"[close-wait]\nafter 30s = shutdown\n"
	"[fin-wait-2 b]\nmatch = role client, remote-port 1-40001, local ::/0\nafter 1ms = log\n"
	"[fin-wait-2]\nafter 5s = reset\nmax = 7\n"
	"[close]\naction = graceful\n";

static void fill_sockets(struct world *world)
{
	static const uint32_t states[SOCKETS] = {TCP_CLOSE_WAIT, TCP_FIN_WAIT2, TCP_ESTABLISHED,
		TCP_CLOSE_WAIT, TCP_TIME_WAIT, TCP_CLOSE_WAIT};

	for (uint32_t i = 0; i < SOCKETS; i++) {
		world->sockets[i] = (struct world_socket){.cookie = 0x1000 + i,
			.state = states[i],
			.inode = i < 4 ? 700 + i : 0,
			.receive_queue = i,
			.has_info = 1,
			.sent_ms = 1500,
			.received_ms = 2500,
			.ack_ms = 1200,
			.local_port = 8080,
			.remote_port = (uint16_t)(40000 + i),
			.there = i != 3};
		world->holders[i] = (struct world_holder){700 + i, FIRST_LIVING, (int32_t)(10 + i)};
	}
}

/* The row of a thread: the application was told of the EOF, by the second stack. */
static void told(struct image *image, int row, int at)
{
	image_row(image, 0, row, at, GENERATION, LA_SEEN_EOF, 3000000);
	image->threads[0].rows[row].stack[0] = 2;
}

void scene_fill(struct scene *to)
{
	struct image *image = &to->image;
	struct world *world = &to->world;

	memset((void *)to, 0, sizeof(*to));
	image_fill(image);
	/* The same in every run: no pid and no boot of this machine. */
	memset(image->header.boot_id, 1, sizeof(image->header.boot_id));
	image->header.creator_pid = FIRST_LIVING;
	image->header.connections_high = 8;
	image->processes[0].pid = FIRST_LIVING;
	image->processes[0].start_ticks = 4711;
	image->processes[1].pid = 77; /* has ended */
	strcpy(image->processes[1].exe, "worker");
	for (int i = 4; i < 8; i++)
		image_connection(image, i, i == 6 ? LA_PHASE_CLOSED : LA_PHASE_OPEN);
	for (int i = 0; i < 8; i++) {
		image->connections[i].pid = FIRST_LIVING;
		image->connections[i].tid = FIRST_LIVING + 1;
	}
	image->connections[4].holders = 2;
	image->connections[6].word =
		LA_WORD_MAKE(GENERATION, LA_PHASE_CLOSED, LA_CONNECTION_UNREAD_AT_CLOSE);
	image->connections[7].role = LA_ROLE_LISTENER;
	image->connections[7].holders = 1ull << 63;
	told(image, 0, 0);
	told(image, 1, 4);
	la_policy_init(&image->policy);
	if (la_policy_parse(&image->policy, "scene", policy_text, sizeof(policy_text) - 1, NULL))
		abort();
	strcpy(image->policy.name, "scene");
	image->refusals[0].started_us = image->processes[0].started_us;
	image->refusals[0].since_us = 2000000;
	strcpy(image->refusals[0].reason, "scene:1:1: no policy");
	world->file_bytes = sizeof(*image);
	world->now_us = 10000000;
	world->owner_uid = 1000;
	fill_sockets(world);
	strcpy(world->name, "server");
	world->state = 'S';
	world->threads = 1;
	world->answer_has = 0x11;
	world->answer_line = 42;
	strcpy(world->function, "accept_loop");
	strcpy(world->file, "server.c");
}
