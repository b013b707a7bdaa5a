// Words in C++'s own buffer, and a SIGKILL. SPDX-License-Identifier: MIT
#include <csignal>
#include <iostream>

int main()
{
	std::ios_base::sync_with_stdio(false);
	std::cout << "words " << 7;
	std::raise(SIGKILL);
}
