/* Units and containers from the paths of control groups, as engines and systemd write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "proc/cgroup.h"

#define ID       "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ID_2     "aaaa456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ID_BUT_1 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde"
#define SHOWN    "0123456789ab"

static void assert_text(const char *text, const char *expected)
{
	assert_string_equal(text ? text : "", expected ? expected : "");
}

static void cgroup_names_unit_and_container(void **state)
{
	static const struct {
		const char *text, *unit, *container;
	} cases[] = {
		{ "", NULL, NULL },
		{ "0::/\n", NULL, NULL },
		{ "nonsense", NULL, NULL },
		{ "0:", NULL, NULL },
		/* systemd */
		{ "0::/init.scope\n", "init.scope", NULL },
		{ "0::/system.slice/jarvis.service\n", "jarvis.service", NULL },
		{ "0::/system.slice/jarvis.service", "jarvis.service", NULL },
		{ "0::/system.slice/jarvis.service (deleted)\n", "jarvis.service", NULL },
		{ "0::/system.slice/jarvis.service/workers/1\n", "jarvis.service", NULL },
		{ "0::/system.slice/system-postgresql.slice/postgresql@15-main.service\n",
			"postgresql@15-main.service", NULL },
		{ "0::/user.slice/user-1000.slice/session-3.scope\n", "session-3.scope", NULL },
		{ "0::/user.slice/user-1000.slice/user@1000.service/app.slice/app-foo.scope\n",
			"app-foo.scope", NULL },
		{ "0::/user.slice/user-1000.slice/user@1000.service/app.slice\n", NULL, NULL },
		{ "0::/system.slice\n", NULL, NULL },
		{ "0::/.service\n", NULL, NULL },
		{ "0::/a\x1b[2Jb.service\n", "a␛[2Jb.service", NULL },
		/* version 1, and both */
		{ "12:pids:/system.slice/cron.service\n1:name=systemd:/system.slice/cron.service\n",
			"cron.service", NULL },
		{ "4:memory:/\n1:name=systemd:/system.slice/a.service\n0::/\n", "a.service", NULL },
		/* a path may hold colons */
		{ "0::/system.slice/a:b.service\n", "a:b.service", NULL },
		/* docker */
		{ "0::/docker/" ID "\n", NULL, SHOWN },
		{ "0::/system.slice/docker-" ID ".scope\n", NULL, SHOWN },
		{ "11:cpu,cpuacct:/docker/" ID "\n1:name=systemd:/docker/" ID "\n", NULL, SHOWN },
		/* podman, rootful, rootless, from a unit; its monitor is not in the container */
		{ "0::/machine.slice/libpod-" ID ".scope\n", NULL, SHOWN },
		{ "0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" ID
		  ".scope/container\n",
			NULL, SHOWN },
		{ "0::/system.slice/jarvis.service/libpod-payload-" ID "\n", "jarvis.service",
			SHOWN },
		{ "0::/machine.slice/libpod-conmon-" ID ".scope\n", "libpod-conmon-" ID ".scope",
			NULL },
		/* a pod of podman: its monitors are not in a container */
		{ "0::/machine.slice/machine-libpod_pod_" ID_2 ".slice/libpod-" ID
		  ".scope/container\n",
			NULL, SHOWN },
		{ "0::/machine.slice/machine-libpod_pod_" ID ".slice/libpod-conmon-" ID_2
		  ".scope\n",
			"libpod-conmon-" ID_2 ".scope", NULL },
		/* docker without root, nerdctl, Amazon's ECS, docker in docker, systemd inside */
		{ "0::/user.slice/user-1000.slice/user@1000.service/user.slice/docker-" ID
		  ".scope\n",
			NULL, SHOWN },
		{ "0::/system.slice/nerdctl-" ID ".scope\n", NULL, SHOWN },
		{ "9:memory:/ecs/0a1b2c3d4e5f60718293a4b5c6d7e8f9/" ID "\n", NULL, SHOWN },
		{ "0::/system.slice/docker-" ID_2 ".scope/docker/" ID "\n", NULL, SHOWN },
		{ "0::/system.slice/docker-" ID ".scope/system.slice/cron.service\n",
			"cron.service", SHOWN },
		/* a node of a cluster in a container: its pod's */
		{ "0::/docker/" ID_2 "/kubelet.slice/kubelet-kubepods.slice"
		  "/kubelet-kubepods-pod1.slice/cri-containerd-" ID ".scope\n",
			NULL, SHOWN },
		/* kubernetes: cgroupfs and systemd drivers, containerd and cri-o */
		{ "0::/kubepods/burstable/pod0a1b2c3d-1111-2222-3333-444455556666/" ID "\n", NULL,
			SHOWN },
		{ "3:memory:/kubepods/besteffort/pod1/" ID "\n", NULL, SHOWN },
		{ "0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-" ID ".scope\n", NULL,
			SHOWN },
		{ "0::/kubepods.slice/kubepods-pod1.slice/crio-" ID ".scope\n", NULL, SHOWN },
		{ "0::/system.slice/containerd.service/kubepods-pod1.slice:cri-containerd:" ID "\n",
			"containerd.service", SHOWN },
		{ "11:memory:/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1.slice"
		  "/crio-" ID ".scope/container\n",
			NULL, SHOWN },
		{ "0::/kubepods.slice/kubepods-pod1.slice/crio-conmon-" ID ".scope\n",
			"crio-conmon-" ID ".scope", NULL },
		/* steps of a build have 25 letters and digits */
		{ "0::/docker/buildkit/x5h7oizyhrunip3o2urd7of1d\n", NULL, "x5h7oizyhrun" },
		{ "0::/buildkit/x5h7oizyhrunip3o2urd7of1d\n", NULL, "x5h7oizyhrun" },
		{ "0::/docker/buildkit\n", NULL, NULL },
		/* systemd-nspawn and LXC */
		{ "0::/machine.slice/systemd-nspawn@web.service/payload\n", NULL, "web" },
		{ "0::/machine.slice/machine-shop\\x2ddb.scope\n", NULL, "shop-db" },
		{ "0::/lxc.payload.web1/system.slice/cron.service\n", "cron.service", "web1" },
		{ "0::/lxc.monitor.web1\n", NULL, NULL },
		{ "4:memory:/lxc.payload/web1\n", NULL, "web1" },
		{ "4:memory:/lxc/web1/system.slice/cron.service\n", "cron.service", "web1" },
		{ "4:memory:/lxc\n", NULL, NULL },
		{ "4:memory:/lxc.monitor/web1\n", NULL, NULL },
		{ "0::/machine.slice/systemd-nspawn@shop\\x2ddb.service/payload/init.scope\n",
			"init.scope", "shop-db" },
		{ "0::/machine.slice/machine-.scope\n", "machine-.scope", NULL },
		/* 63 digits, 65 digits, digits that a word goes on from */
		{ "0::/docker/" ID_BUT_1 "\n", NULL, NULL },
		{ "0::/docker/" ID "0\n", NULL, NULL },
		{ "0::/docker/" ID "x\n", NULL, NULL },
		{ "0::/docker/x" ID "\n", NULL, NULL },
	};
	struct arena *arena = arena_new();
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cgroup cgroup = cgroup_parse(arena, cases[i].text);
		assert_text(cgroup.unit, cases[i].unit);
		assert_text(cgroup.container, cases[i].container);
	}
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cgroup_names_unit_and_container),
	};
	return cmocka_run_group_tests_name("cgroup", tests, NULL, NULL);
}
