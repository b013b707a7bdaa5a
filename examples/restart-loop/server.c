/*
 * A small copy of the case that Epitaph was made for: a server starts, answers its health check,
 * and 1.2 s later is gone with exit code 0 and not a word.
 *
 *   server returns    main waits for a runtime that finishes early, and returns 0
 *   server library    a library's thread calls exit(0)
 *   server occupied   its port is taken, and err(3) in main ends it with 1
 *   server handled    it handles SIGTERM, and exits with 0 when it comes
 *
 * SPDX-License-Identifier: MIT
 */
#include <arpa/inet.h>
#include <err.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t finished = PTHREAD_COND_INITIALIZER;
static int is_finished;

static void wait_a_little(void)
{
	nanosleep(&(struct timespec){1, 200000000}, NULL);
}

/* The license check of some library, say: it does not like what it finds. */
static void *license_watchdog(void *arg)
{
	(void)arg;
	wait_a_little();
	exit(0);
}

/* The runtime drops its last task. */
static void *runtime(void *arg)
{
	(void)arg;
	wait_a_little();
	pthread_mutex_lock(&lock);
	is_finished = 1;
	pthread_cond_signal(&finished);
	pthread_mutex_unlock(&lock);
	return NULL;
}

static void on_term(int sig)
{
	(void)sig;
	exit(0);
}

static void *serve(void *arg)
{
	static const char answer[] = "HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nok\n";
	int listener = *(int *)arg;

	for (;;) {
		char request[512];
		int c = accept(listener, NULL, NULL);

		if (c < 0)
			continue;
		if (read(c, request, sizeof request) > 0 &&
		    write(c, answer, sizeof answer - 1) != (ssize_t)sizeof answer - 1)
			perror("write");
		close(c);
	}
	return NULL;
}

/* The health check: one request over loopback, from this very process. */
static void check_health(const struct sockaddr_in *address)
{
	char answer[64] = "";
	int c = socket(AF_INET, SOCK_STREAM, 0);

	if (connect(c, (const struct sockaddr *)address, sizeof *address) == 0 &&
	    write(c, "GET / HTTP/1.0\r\n\r\n", 18) == 18 && read(c, answer, sizeof answer - 1) > 0)
		printf("health check: %.15s\n", answer);
	close(c);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "returns";
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof a;
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	pthread_t server, other;

	if (bind(listener, (struct sockaddr *)&a, sizeof a) || listen(listener, 8) ||
	    getsockname(listener, (struct sockaddr *)&a, &len)) {
		perror("listen");
		return 1;
	}
	if (strcmp(how, "occupied") == 0 &&
	    bind(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&a, sizeof a))
		err(1, "bind");
	if (strcmp(how, "handled") == 0)
		signal(SIGTERM, on_term);
	pthread_create(&server, NULL, serve, &listener);
	check_health(&a);
	if (strcmp(how, "library") == 0)
		pthread_create(&other, NULL, license_watchdog, NULL);
	else if (strcmp(how, "returns") == 0)
		pthread_create(&other, NULL, runtime, NULL);
	pthread_mutex_lock(&lock);
	while (!is_finished)
		pthread_cond_wait(&finished, &lock);
	pthread_mutex_unlock(&lock);
	return 0;
}
