// C++: an exception through frames, caught in main; then main returns 3. Or uncaught, from a
// thread, or pthread_exit with destructors to run, as argv[1] says. SPDX-License-Identifier: MIT
#include <cstdlib>
#include <cstring>
#include <pthread.h>
#include <stdexcept>
#include <unistd.h>

namespace
{
void say(const char *s)
{
	if (write(1, s, strlen(s)) < 0)
		abort();
}

struct Speaks {
	~Speaks()
	{
		say("destructor\n");
	}
};

__attribute__((noinline)) void thrower(bool by_exit)
{
	Speaks speaks;

	if (by_exit)
		pthread_exit(nullptr);
	throw std::runtime_error("on purpose");
}

void *last(void *first)
{
	pthread_join(*static_cast<pthread_t *>(first), nullptr);
	say("last thread\n");
	return nullptr;
}
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "caught";

	if (!strcmp(how, "uncaught"))
		thrower(false);
	if (!strcmp(how, "pthread_exit")) {
		static pthread_t self = pthread_self();
		pthread_t other;

		if (pthread_create(&other, nullptr, last, &self))
			return 99;
		thrower(true);
	}
	try {
		thrower(false);
	} catch (const std::exception &e) {
		say(e.what());
		say("\n");
	}
	if (!strcmp(how, "exit"))
		exit(3);
	return 3;
}
