/* Runs a program in a terminal of its own and talks to it as a person would; for the specs.
 *
 *   terminal SCRIPT PROGRAM ARGUMENTS…
 *
 * Lines of SCRIPT:
 *   send TEXT     types TEXT; \r \t \e \\ and \xHH stand for keys
 *   expect TEXT   waits until the program has written TEXT since the last match
 *   prompt TEXT   the same, and waits until the program reads single keys
 *   absent TEXT   TEXT must not have been written since the last match
 *   end           waits until the program ends; its exit code must be 0
 * What the program writes goes to standard output. Exit codes: 0 all went as the script says,
 * 1 not (the reason is on standard error), 77 there is no terminal to be had. */
#define _GNU_SOURCE /* posix_openpt, memmem */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

enum { PATIENCE_MS = 30000, NO_TERMINAL = 77, SEEN_BYTES = 1 << 20 };

static char seen[SEEN_BYTES];      /* written by the program */
static size_t seen_bytes, matched; /* how much; up to where expectations are met */
static int master;
static pid_t child;

static int give_up(int line, const char *what, const char *text) {
  fprintf(stderr, "\nline %d: %s \"%s\"\n", line, what, text);
  kill(child, SIGKILL);
  return 1;
}

/* Reads what has come; false when the program's end of the terminal is closed or time is up. */
static int listen_once(int patience) {
  struct pollfd wait = {.fd = master, .events = POLLIN};
  if (poll(&wait, 1, patience) <= 0) return 0;
  ssize_t got = read(master, seen + seen_bytes, SEEN_BYTES - seen_bytes);
  if (got <= 0) return 0;
  fwrite(seen + seen_bytes, 1, (size_t)got, stdout);
  fflush(stdout);
  seen_bytes += (size_t)got;
  return 1;
}

static int expect(const char *text) {
  for (;;) {
    char *place = memmem(seen + matched, seen_bytes - matched, text, strlen(text));
    if (place != NULL) {
      matched = (size_t)(place - seen) + strlen(text);
      return 1;
    }
    if (!listen_once(PATIENCE_MS)) return 0;
  }
}

/* Between its prompt and its first look at the keyboard, an editing program switches the terminal
 * to single keys; what is typed before that means something else. */
static int reads_keys(void) {
  struct termios mode;
  for (int waited = 0; waited < PATIENCE_MS; waited++) {
    if (tcgetattr(master, &mode) == 0 && (mode.c_lflag & ICANON) == 0) return 1;
    listen_once(1);
  }
  return 0;
}

static int key_of(const char **text) {
  char *end, hex[3];
  switch (*++*text) {
  case 'r': return '\r';
  case 't': return '\t';
  case 'e': return 27;
  case 'x':
    hex[0] = (*text)[1], hex[1] = (*text)[2], hex[2] = '\0';
    *text += 2;
    return (int)strtol(hex, &end, 16);
  default: return **text;
  }
}

static int type(const char *text) {
  for (; *text != '\0'; text++) {
    char key = (char)(*text == '\\' ? key_of(&text) : *text);
    if (write(master, &key, 1) != 1) return 0;
  }
  return 1;
}

static int ended_well(void) {
  int status;
  while (listen_once(PATIENCE_MS)) {
  }
  return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int obey(int number, char *line) {
  line[strcspn(line, "\n")] = '\0';
  char *text = strchr(line, ' ');
  if (text != NULL) *text++ = '\0';
  if (text == NULL) text = line + strlen(line);
  if (strcmp(line, "send") == 0) return type(text) ? 0 : give_up(number, "cannot type", text);
  if (strcmp(line, "expect") == 0)
    return expect(text) ? 0 : give_up(number, "the program never wrote", text);
  if (strcmp(line, "prompt") == 0)
    return expect(text) && reads_keys() ? 0 : give_up(number, "the program never asked", text);
  if (strcmp(line, "absent") == 0)
    return memmem(seen + matched, seen_bytes - matched, text, strlen(text)) == NULL
               ? 0
               : give_up(number, "the program wrote", text);
  if (strcmp(line, "end") == 0) return ended_well() ? 0 : give_up(number, "no good end", "");
  return give_up(number, "unknown command", line);
}

/* In the child: the terminal becomes its standard input, output and error. */
static void become(const char *terminal, char **arguments) {
  struct winsize size = {.ws_row = 40, .ws_col = 120};
  setsid();
  int slave = open(terminal, O_RDWR); /* a session without a terminal gets this one */
  if (slave < 0) _exit(NO_TERMINAL);
  ioctl(slave, TIOCSCTTY, 0);
  ioctl(slave, TIOCSWINSZ, &size);
  for (int i = 0; i < 3; i++) dup2(slave, i);
  close(master);
  execv(arguments[0], arguments);
  _exit(127);
}

int main(int argc, char **argv) {
  if (argc < 3) return give_up(0, "usage:", "terminal SCRIPT PROGRAM ARGUMENTS…");
  FILE *script = fopen(argv[1], "r");
  master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (script == NULL || master < 0 || grantpt(master) != 0 || unlockpt(master) != 0) {
    fprintf(stderr, "no terminal: %s\n", strerror(errno));
    return NO_TERMINAL;
  }
  const char *name = ptsname(master);
  child = fork();
  if (child == 0) become(name, argv + 2);
  char line[4096];
  int code = child < 0;
  for (int number = 1; code == 0 && fgets(line, sizeof line, script) != NULL; number++)
    code = obey(number, line);
  fclose(script);
  return code;
}
