/*
 * The clients of delivery.ts: a thousand sockets that send at fixed times and note when what they sent has arrived. In C,
 * because a client in Node takes a whole processor for it and, with a second one, the time of the server that it measures.
 * Linux (epoll, timer slack). It reads commands, a line each, and answers with lines:
 *
 *   ws PORT JOINS PATH       opens a WebSocket; JOINS 1: acknowledges Colyseus' JOIN_ROOM.  -> "open N" or "gone N"
 *   tcp PORT                 opens a plain socket.                                           -> "open N"
 *   write N HEX              writes bytes as they are
 *   plan                     forgets the steps
 *   step N HEX MARK COUNTER [N2 HEX2]
 *                            one event: the payload HEX goes out on socket N, as a frame if it is a WebSocket. At offset
 *                            MARK stand twelve digits, which become the time it was due; at COUNTER four bytes, which
 *                            become a number that rises; -1 for none. With N2 the event has no mark and has arrived with
 *                            the next frame of kind STATE_PATCH on socket N2; every second time HEX2 is sent instead.
 *   run RATE SECONDS         goes through the steps, over and over.   -> "ran SENT ARRIVED LATE99 P50 P90 P99 P999 MAX"
 *                            (microseconds from due; LATE99: how late the sending itself was, p99)
 *   loop SECONDS             the same as fast as it goes: as many events under way as there are steps
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { JOIN_ROOM = 10, STATE_PATCH = 15, KIND_MASK = 0x1f, DIGITS = 12, READ_BYTES = 1 << 16 };
static const char MARK[] = "due-at_";

enum phase { UPGRADING, JOINING, OPEN, CLOSED };
struct conn {
  int fd, framed;
  /* Whether the first or the second of two alternating frames is next; outlives a plan, as what they change does. */
  unsigned turn;
  enum phase phase;
  unsigned char *rest;
  size_t rest_len, rest_cap;
  double *due;
  size_t due_head, due_len, due_cap;
};
struct step {
  int conn, watched;
  unsigned char *frame[2];
  size_t len[2];
  long mark, counter;
};

static struct conn *conns;
static struct step *steps;
static size_t conn_count, step_count;
static double *took;
static size_t arrived, took_cap;
static double last_arrival;
static uint32_t counter;
static int ep;

static double now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static void *grown(void *items, size_t *cap, size_t needed, size_t size) {
  if (needed <= *cap) return items;
  *cap = needed * 2;
  items = realloc(items, *cap * size);
  if (items == NULL) abort();
  return items;
}

static void arrive(double due) {
  last_arrival = now_us();
  took = grown(took, &took_cap, arrived + 1, sizeof *took);
  took[arrived++] = last_arrival - due;
}

static void write_all(struct conn *c, const void *bytes, size_t len) {
  for (const char *at = bytes; len > 0;) {
    ssize_t n = send(c->fd, at, len, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    at += n;
    len -= (size_t)n;
  }
}

/* RFC 6455 section 5.2; a mask of zeros is a mask. */
static size_t frame_header(unsigned char *out, int opcode, size_t len) {
  size_t start = len < 126 ? 6 : 8;
  memset(out, 0, start);
  out[0] = (unsigned char)(0x80 | opcode);
  out[1] = (unsigned char)(0x80 | (len < 126 ? len : 126));
  if (len >= 126) out[2] = (unsigned char)(len >> 8), out[3] = (unsigned char)len;
  return start;
}

static void send_frame(struct conn *c, int opcode, const unsigned char *payload, size_t len) {
  unsigned char bytes[8 + 65536];
  size_t start = frame_header(bytes, opcode, len);
  memcpy(bytes + start, payload, len);
  write_all(c, bytes, start + len);
}

static void gone(struct conn *c) {
  if (c->phase == CLOSED) return;
  c->phase = CLOSED;
  close(c->fd);
  printf("gone %zu\n", (size_t)(c - conns));
  fflush(stdout);
}

static void opened(struct conn *c) {
  c->phase = OPEN;
  printf("open %zu\n", (size_t)(c - conns));
  fflush(stdout);
}

static void take_frame(struct conn *c, int opcode, const unsigned char *payload, size_t len) {
  if (opcode == 9) send_frame(c, 10, payload, len);
  if (opcode == 8) gone(c);
  if ((opcode != 1 && opcode != 2) || len == 0) return;
  if (c->phase == JOINING && payload[0] == JOIN_ROOM) {
    unsigned char ack = JOIN_ROOM;
    send_frame(c, 2, &ack, 1);
    opened(c);
  } else if (c->due_len > 0 && (payload[0] & KIND_MASK) == STATE_PATCH) {
    arrive(c->due[c->due_head]);
    c->due_head = (c->due_head + 1) % c->due_cap;
    c->due_len--;
  } else {
    const unsigned char *at = memmem(payload, len, MARK, sizeof MARK - 1);
    if (at == NULL || (size_t)(payload + len - at) < sizeof MARK - 1 + DIGITS) return;
    double due = 0;
    for (int i = 0; i < DIGITS; i++) due = due * 10 + (at[sizeof MARK - 1 + (size_t)i] - '0');
    arrive(due);
  }
}

/* Takes what is whole in `bytes`; returns how many bytes that was. */
static size_t take(struct conn *c, const unsigned char *bytes, size_t len) {
  size_t used = 0;
  if (c->phase == UPGRADING) {
    const unsigned char *end = memmem(bytes, len, "\r\n\r\n", 4);
    if (end == NULL) return 0;
    if (memmem(bytes, (size_t)(end - bytes), " 101 ", 5) == NULL) return gone(c), len;
    used = (size_t)(end - bytes) + 4;
    if (c->framed == 2) c->phase = JOINING;
    else opened(c);
  }
  while (c->phase != CLOSED && len - used >= 2) {
    const unsigned char *frame = bytes + used;
    size_t size = frame[1] & 0x7f, start = size == 126 ? 4 : size == 127 ? 10 : 2;
    if (len - used < start) break;
    if (size == 126) size = (size_t)frame[2] << 8 | frame[3];
    else if (size == 127) for (int i = size = 0; i < 8; i++) size = size << 8 | frame[2 + i];
    if (len - used < start + size) break;
    take_frame(c, frame[0] & 0x0f, frame + start, size);
    used += start + size;
  }
  return used;
}

static void readable(struct conn *c) {
  static unsigned char bytes[READ_BYTES];
  ssize_t n = recv(c->fd, bytes, sizeof bytes, MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) return gone(c);
  if (!c->framed) return;
  const unsigned char *all = bytes;
  size_t len = (size_t)n;
  if (c->rest_len > 0) {
    c->rest = grown(c->rest, &c->rest_cap, c->rest_len + len, 1);
    memcpy(c->rest + c->rest_len, bytes, len);
    all = c->rest;
    len += c->rest_len;
  }
  size_t used = take(c, all, len);
  if (c->phase == CLOSED) return;
  c->rest_len = len - used;
  if (c->rest_len == 0) return;
  c->rest = grown(c->rest, &c->rest_cap, c->rest_len, 1);
  memmove(c->rest, (all == bytes ? bytes : c->rest) + used, c->rest_len);
}

/* `framed`: 0 bytes as they are, 1 WebSocket, 2 WebSocket that joins a room. */
static void open_conn(int port, int framed, const char *path) {
  static size_t cap;
  conns = grown(conns, &cap, conn_count + 1, sizeof *conns);
  struct conn *c = &conns[conn_count++];
  *c = (struct conn){.fd = socket(AF_INET, SOCK_STREAM, 0), .framed = framed, .phase = UPGRADING};
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(c->fd, (struct sockaddr *)&to, sizeof to) != 0) return gone(c);
  int yes = 1;
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  struct epoll_event event = {.events = EPOLLIN, .data.u64 = conn_count - 1};
  epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &event);
  if (!framed) return opened(c);
  char request[4096];
  int len = snprintf(request, sizeof request,
                     "GET %s HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: Upgrade\r\nupgrade: websocket\r\n"
                     "sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
                     path);
  write_all(c, request, (size_t)len);
}

static unsigned char *unhex(const char *hex, size_t *len) {
  *len = strlen(hex) / 2;
  unsigned char *bytes = malloc(*len + 1);
  for (size_t i = 0; i < *len; i++) sscanf(hex + 2 * i, "%2hhx", &bytes[i]);
  return bytes;
}

static void add_step(char *args) {
  static size_t cap;
  char *save, *conn = strtok_r(args, " ", &save), *hex = strtok_r(NULL, " ", &save);
  char *mark = strtok_r(NULL, " ", &save), *count = strtok_r(NULL, " ", &save);
  char *watched = strtok_r(NULL, " ", &save), *hex2 = strtok_r(NULL, " ", &save);
  steps = grown(steps, &cap, step_count + 1, sizeof *steps);
  struct step *s = &steps[step_count++];
  *s = (struct step){.conn = atoi(conn), .watched = watched ? atoi(watched) : -1, .mark = atol(mark), .counter = atol(count)};
  s->frame[0] = unhex(hex, &s->len[0]);
  s->frame[1] = unhex(hex2 ? hex2 : hex, &s->len[1]);
}

static void send_step(struct step *s, double due) {
  struct conn *c = &conns[s->conn];
  unsigned turn = s->watched < 0 ? 0 : c->turn++ & 1;
  unsigned char *frame = s->frame[turn];
  if (s->mark >= 0) {
    char digits[DIGITS + 1];
    snprintf(digits, sizeof digits, "%012.0f", due);
    memcpy(frame + s->mark, digits, DIGITS);
  }
  if (s->counter >= 0) {
    uint32_t big = htonl(++counter);
    memcpy(frame + s->counter, &big, sizeof big);
  }
  if (s->watched >= 0) {
    struct conn *w = &conns[s->watched];
    if (w->due_len == w->due_cap) {
      double *due_at = malloc((w->due_cap * 2 + 8) * sizeof *due_at);
      for (size_t i = 0; i < w->due_len; i++) due_at[i] = w->due[(w->due_head + i) % w->due_cap];
      free(w->due);
      w->due = due_at;
      w->due_head = 0;
      w->due_cap = w->due_cap * 2 + 8;
    }
    w->due[(w->due_head + w->due_len++) % w->due_cap] = due;
  }
  if (c->phase == CLOSED) return;
  if (c->framed) send_frame(c, 2, frame, s->len[turn]);
  else write_all(c, frame, s->len[turn]);
}

static int by_size(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double quantile(const double *sorted, size_t count, double share) {
  if (count == 0) return -1;
  size_t at = (size_t)(share * (double)count);
  return sorted[at < count ? at : count - 1];
}

/* Waits until a socket has something (or, for commands, until stdin has); returns whether stdin has. */
static int turn(double wait_us, int with_stdin) {
  struct epoll_event events[64];
  struct timespec wait = {.tv_sec = (long)(wait_us / 1e6), .tv_nsec = (long)(wait_us * 1e3) % 1000000000L};
  int n = epoll_pwait2(ep, events, 64, wait_us < 0 ? NULL : &wait, NULL), has_command = 0;
  for (int i = 0; i < n; i++) {
    if (events[i].data.u64 == UINT64_MAX) has_command = with_stdin;
    else if (conns[events[i].data.u64].phase != CLOSED) readable(&conns[events[i].data.u64]);
  }
  return has_command;
}

static void begin_run(void) {
  for (size_t i = 0; i < conn_count; i++) conns[i].due_len = 0;
  arrived = 0;
  last_arrival = now_us();
}

static void print_run(size_t sent, double late99) {
  qsort(took, arrived, sizeof *took, by_size);
  printf("ran %zu %zu %.0f %.0f %.0f %.0f %.0f %.0f\n", sent, arrived, late99, quantile(took, arrived, 0.5),
         quantile(took, arrived, 0.9), quantile(took, arrived, 0.99), quantile(took, arrived, 0.999),
         quantile(took, arrived, 1));
  fflush(stdout);
}

static void run(double rate, double seconds) {
  size_t total = (size_t)(rate * seconds), sent = 0;
  double *late = malloc((total + 1) * sizeof *late);
  begin_run();
  double start = last_arrival;
  for (;;) {
    double now = now_us();
    for (; sent < total && start + (double)sent * 1e6 / rate <= now; sent++) {
      double due = start + (double)sent * 1e6 / rate;
      late[sent] = now_us() - due;
      send_step(&steps[sent % step_count], due);
    }
    now = now_us();
    if (sent == total && (arrived >= total || now - last_arrival > 1e6)) break;
    double wait = sent < total ? start + (double)sent * 1e6 / rate - now : 1e5;
    turn(wait > 0 ? wait : 0, 0);
  }
  qsort(late, sent, sizeof *late, by_size);
  print_run(sent, quantile(late, sent, 0.99));
  free(late);
}

static void loop(double seconds) {
  size_t sent = 0;
  begin_run();
  double end = last_arrival + seconds * 1e6;
  for (;;) {
    double now = now_us();
    for (; now < end && sent - arrived < step_count; sent++) send_step(&steps[sent % step_count], now);
    if (arrived >= sent || now - last_arrival > 1e6) break;
    turn(1e5, 0);
  }
  print_run(sent, 0);
}

static void command(char *line) {
  char *args = strchr(line, ' ');
  if (args != NULL) *args++ = 0;
  else args = line + strlen(line);
  if (strcmp(line, "ws") == 0) {
    int port, joins, at;
    if (sscanf(args, "%d %d %n", &port, &joins, &at) == 2) open_conn(port, 1 + joins, args + at);
  } else if (strcmp(line, "tcp") == 0) {
    open_conn(atoi(args), 0, "");
  } else if (strcmp(line, "write") == 0) {
    char *hex = strchr(args, ' ');
    size_t len;
    unsigned char *bytes = unhex(hex + 1, &len);
    write_all(&conns[atoi(args)], bytes, len);
    free(bytes);
  } else if (strcmp(line, "plan") == 0) {
    for (size_t i = 0; i < step_count; i++) free(steps[i].frame[0]), free(steps[i].frame[1]);
    step_count = 0;
  } else if (strcmp(line, "step") == 0) {
    add_step(args);
  } else if (strcmp(line, "run") == 0) {
    char *seconds = strchr(args, ' ');
    if (step_count > 0) run(atof(args), atof(seconds + 1));
  } else if (strcmp(line, "loop") == 0) {
    if (step_count > 0) loop(atof(args));
  }
}

int main(void) {
  prctl(PR_SET_TIMERSLACK, 1UL);
  ep = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN, .data.u64 = UINT64_MAX};
  epoll_ctl(ep, EPOLL_CTL_ADD, STDIN_FILENO, &event);
  char *input = NULL;
  size_t len = 0, cap = 0;
  for (;;) {
    if (!turn(-1, 1)) continue;
    input = grown(input, &cap, len + READ_BYTES + 1, 1);
    ssize_t n = read(STDIN_FILENO, input + len, READ_BYTES);
    if (n <= 0) return 0;
    len += (size_t)n;
    char *from = input;
    for (char *end; (end = memchr(from, '\n', (size_t)(input + len - from))) != NULL; from = end + 1) {
      *end = 0;
      command(from);
    }
    len = (size_t)(input + len - from);
    memmove(input, from, len);
  }
}
