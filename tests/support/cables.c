#include "cables.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "live_group.h"

int cables_enter(void)
{
	bool is_root = geteuid() == 0;
	if (is_root && unshare(CLONE_NEWNET) < 0)
		return -1;
	int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	return is_root && unshare(CLONE_NEWNET) < 0 ? -1 : fd;
}

const char *cables_net(void)
{
	static char net[16];
	int number = (int)getpid();
	snprintf(net, sizeof(net), "100.%d.%d", 64 + number / 256 % 64, number % 256);
	return net;
}

const char *cables_net6(void)
{
	static char net[16];
	snprintf(net, sizeof(net), "fd00:%x", (unsigned)getpid() & 0xffff);
	return net;
}

void cables_lay(const struct live_program *holder, int number)
{
	CLEANUP(cleanup_free)
	char *script = mem_printf("n=%d p=%d near=%s.%d far=%s.%d net6=%s\n"
				  "inside() { nsenter -n -t $p \"$@\"; }\n"
				  "ip link add cable$n type veth peer name eth0 netns $p\n"
				  "ip addr add $near/28 dev cable$n\n"
				  "ip link set cable$n up\n"
				  "inside ip addr add $far/28 dev eth0\n"
				  "inside ip link set eth0 up\n"
				  "inside ip link set lo up\n"
				  "inside ip route add default via $near\n"
				  "ip addr add $net6:$n::1/64 dev cable$n nodad\n"
				  "inside ip addr add $net6:$n::2/64 dev eth0 nodad\n"
				  "inside ip route add default via $net6:$n::1\n",
		number, (int)live_pid(holder), cables_net(), 16 * number + 1, cables_net(),
		16 * number + 2, cables_net6());
	live_shell(script);
}
