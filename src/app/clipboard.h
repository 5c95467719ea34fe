/* The terminal's clipboard, also over ssh. */
#ifndef APP_CLIPBOARD_H
#define APP_CLIPBOARD_H

/* Sends OSC 52 to the terminal; whether that obeys is its business. */
void clipboard_copy(const char *text);

#endif
