/* --peers: the far side of --host-agent. It reads questions from standard input and answers on
 * standard output (collect/host_lines) which processes of this machine hold which client ends, and
 * ends with its input. It needs no configuration and no database, and answers only for ends that it
 * was asked about. */
#ifndef MODES_PEERS_MODE_H
#define MODES_PEERS_MODE_H

/* Returns the exit status. */
int peers_mode_run(void);

#endif
