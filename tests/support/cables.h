/* Machines for tests: network namespaces that are connected to ours by cables. Needs root.
 *
 * An address that two namespaces of the machine have is not matched, so the addresses depend on the
 * process: those of programs that run at the same time differ. */
#ifndef TESTS_CABLES_H
#define TESTS_CABLES_H

struct live_program;

/* Moves this process into a new network namespace, and then, so that the server is started there,
 * into another one; returns a descriptor of the first. −1 if that fails. Without root both are the
 * one that it is in. */
int cables_enter(void);

/* "100.64.17", the beginning of all addresses, and "fd00:11" for IPv6. */
const char *cables_net(void);
const char *cables_net6(void);

/* Connects the namespace of a process with ours, which routes its packets. Each cable has 16
 * addresses: ours is NET.(16 × number + 1), the other one 1 more; of IPv6 ours is NET6:number::1.
 */
void cables_lay(const struct live_program *holder, int number);

#endif
