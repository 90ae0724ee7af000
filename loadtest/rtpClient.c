/*
 * The ends of calls without a browser: each leg is one socket that does what a browser's transport does towards an SFU:
 * ICE checks and consent (RFC 8445, RFC 7675), DTLS 1.2 as the client (RFC 5763), SRTP with AES-GCM (RFC 7714), and then
 * sends an Opus packet every 20 ms or hears one. Forty people in Chromium take more than a small machine has; here they
 * take a few per cent of a core and leave the rest to the server. Linux, OpenSSL 3, libsrtp2. Commands and answers are
 * lines; times are milliseconds since 1970, on the clock that all processes of a machine share:
 *
 *   (at the start)                               -> "fingerprint AB:CD:..", sha-256 of the certificate of all legs
 *   open ID PORT USER PASSWORD SSRC              a leg towards 127.0.0.1:PORT; USER and PASSWORD are the SFU's ICE
 *                                                parameters; it sends from SSRC, or with 0 hears
 *   close ID
 *   report                                       -> "leg ID UP FIRST LAST PACKETS LOST SILENCE" each, then "done":
 *                                                when DTLS was done, when the first and the last packet were heard, how
 *                                                many, how many numbers are missing, the longest time between two of them
 *   forget                                       longest times are counted anew
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <srtp2/srtp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { MTU = 1200, PACKET_BYTES = 1500, TICK_MS = 20, CHECK_EVERY_MS = 50, CONSENT_EVERY_MS = 2000 };
enum { OPUS_PAYLOAD_TYPE = 111, OPUS_BYTES = 80, OPUS_TICKS = 960, KEY_BYTES = 16, SALT_BYTES = 12 };
enum { HMAC_BYTES = 20, RTP_HEADER = 12, STUN_HEADER = 20 };

struct leg {
  struct leg *next;
  char id[64], user[300], password[300];
  int fd, is_permitted, is_up;
  uint32_t ssrc, sent;
  double next_check, up, first, last, silence;
  uint64_t packets, highest, lowest;
  SSL *ssl;
  BIO *in;
  srtp_t inbound, outbound;
};

static struct leg *legs;
static SSL_CTX *context;
static BIO_METHOD *datagrams;
static int ep;

static double now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static void die(const char *what) {
  fprintf(stderr, "rtpClient: %s\n", what);
  exit(1);
}

/* Datagrams leave one by one: OpenSSL's own memory would join those of a flight. */
static int write_datagram(BIO *bio, const char *bytes, int len) {
  struct leg *leg = BIO_get_data(bio);
  send(leg->fd, bytes, (size_t)len, 0);
  return len;
}

static long control_datagrams(BIO *bio, int command, long number, void *pointer) {
  (void)bio, (void)number, (void)pointer;
  if (command == BIO_CTRL_DGRAM_QUERY_MTU) return MTU;
  return command == BIO_CTRL_FLUSH;
}

static int accept_any(int ok, X509_STORE_CTX *store) {
  (void)ok, (void)store;
  return 1;
}

/* One certificate for all legs: making one each would be most of what a leg costs. */
static void make_context(void) {
  EVP_PKEY *key = EVP_EC_gen("P-256");
  X509 *certificate = X509_new();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -86400);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
  X509_NAME *name = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"duet", -1, -1, 0);
  X509_set_issuer_name(certificate, name);
  X509_set_pubkey(certificate, key);
  if (!X509_sign(certificate, key, EVP_sha256())) die("no certificate");

  context = SSL_CTX_new(DTLS_client_method());
  SSL_CTX_use_certificate(context, certificate);
  SSL_CTX_use_PrivateKey(context, key);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, accept_any);
  if (SSL_CTX_set_tlsext_use_srtp(context, "SRTP_AEAD_AES_128_GCM")) die("no AES-GCM");

  unsigned char digest[32];
  unsigned len = sizeof digest;
  X509_digest(certificate, EVP_sha256(), digest, &len);
  printf("fingerprint ");
  for (unsigned i = 0; i < len; i++) printf(i ? ":%02X" : "%02X", digest[i]);
  printf("\n");
  fflush(stdout);
}

/* STUN --------------------------------------------------------------------------------------------------------- */

static size_t put_attribute(unsigned char *at, uint16_t type, const void *value, uint16_t len) {
  uint16_t header[2] = {htons(type), htons(len)};
  memcpy(at, header, 4);
  if (len) memcpy(at + 4, value, len);
  size_t padded = (len + 3u) & ~3u;
  memset(at + 4 + len, 0, padded - len);
  return 4 + padded;
}

static void set_length(unsigned char *message, size_t len) {
  uint16_t body = htons((uint16_t)(len - STUN_HEADER));
  memcpy(message + 2, &body, 2);
}

static uint32_t crc32_of(const unsigned char *bytes, size_t len) {
  uint32_t crc = ~0u;
  while (len--) {
    crc ^= *bytes++;
    for (int k = 0; k < 8; k++) crc = crc & 1 ? crc >> 1 ^ 0xedb88320u : crc >> 1;
  }
  return ~crc;
}

/* A binding request that nominates (RFC 8445 section 7.2.2), which is consent as well (RFC 7675). */
static void send_check(struct leg *leg) {
  enum { USERNAME = 6, INTEGRITY = 8, PRIORITY = 0x24, USE_CANDIDATE = 0x25, FINGERPRINT = 0x8028, CONTROLLING = 0x802a };
  unsigned char m[PACKET_BYTES] = {0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42};
  RAND_bytes(m + 8, 12);
  char name[400];
  uint32_t priority = htonl(0x6e7f00ff);
  unsigned char breaker[8];
  RAND_bytes(breaker, sizeof breaker);
  size_t len = STUN_HEADER;
  len += put_attribute(m + len, USERNAME, name, (uint16_t)snprintf(name, sizeof name, "%s:duet", leg->user));
  len += put_attribute(m + len, PRIORITY, &priority, 4);
  len += put_attribute(m + len, CONTROLLING, breaker, 8);
  len += put_attribute(m + len, USE_CANDIDATE, NULL, 0);
  unsigned char code[HMAC_BYTES];
  set_length(m, len + 4 + HMAC_BYTES);
  HMAC(EVP_sha1(), leg->password, (int)strlen(leg->password), m, len, code, NULL);
  len += put_attribute(m + len, INTEGRITY, code, HMAC_BYTES);
  set_length(m, len + 8);
  uint32_t crc = htonl(crc32_of(m, len) ^ 0x5354554e);
  len += put_attribute(m + len, FINGERPRINT, &crc, 4);
  send(leg->fd, m, len, 0);
}

/* DTLS and SRTP ------------------------------------------------------------------------------------------------ */

static srtp_t srtp_with(const unsigned char *key, const unsigned char *salt, srtp_ssrc_type_t whose) {
  unsigned char both[KEY_BYTES + SALT_BYTES];
  memcpy(both, key, KEY_BYTES);
  memcpy(both + KEY_BYTES, salt, SALT_BYTES);
  srtp_policy_t policy = {.ssrc = {.type = whose}, .key = both, .window_size = 1024};
  srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtp);
  srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtcp);
  srtp_t session;
  if (srtp_create(&session, &policy)) die("libsrtp2 has no AES-GCM");
  return session;
}

/* The keys come out of the handshake (RFC 5764 section 4.2): the client's and the server's, then their salts. */
static void take_keys(struct leg *leg) {
  unsigned char k[2 * (KEY_BYTES + SALT_BYTES)];
  SSL_export_keying_material(leg->ssl, k, sizeof k, "EXTRACTOR-dtls_srtp", 19, NULL, 0, 0);
  leg->outbound = srtp_with(k, k + 2 * KEY_BYTES, ssrc_any_outbound);
  leg->inbound = srtp_with(k + KEY_BYTES, k + 2 * KEY_BYTES + SALT_BYTES, ssrc_any_inbound);
  leg->is_up = 1;
  leg->up = now_ms();
}

static void shake_hands(struct leg *leg) {
  if (!leg->is_up && SSL_do_handshake(leg->ssl) == 1) take_keys(leg);
}

static void send_packet(struct leg *leg) {
  unsigned char packet[PACKET_BYTES] = {0x80, OPUS_PAYLOAD_TYPE};
  uint16_t sequence = htons((uint16_t)leg->sent);
  uint32_t rest[2] = {htonl(leg->sent * OPUS_TICKS), htonl(leg->ssrc)};
  memcpy(packet + 2, &sequence, 2);
  memcpy(packet + 4, rest, 8);
  memset(packet + RTP_HEADER, 0x5a, OPUS_BYTES);
  int len = RTP_HEADER + OPUS_BYTES;
  leg->sent++;
  if (srtp_protect(leg->outbound, packet, &len) == srtp_err_status_ok) send(leg->fd, packet, (size_t)len, 0);
}

static void hear_packet(struct leg *leg, unsigned char *packet, int len) {
  if (!leg->is_up || len < RTP_HEADER || (packet[1] & 0x7f) != OPUS_PAYLOAD_TYPE) return;
  if (srtp_unprotect(leg->inbound, packet, &len) != srtp_err_status_ok) return;
  double now = now_ms();
  uint16_t sequence = (uint16_t)(packet[2] << 8 | packet[3]);
  if (leg->packets++ == 0) {
    leg->first = now;
    leg->lowest = leg->highest = 65536 + sequence;
  } else {
    /* The number of 16 bits goes round; the nearest of those that it may be is meant. */
    int16_t ahead = (int16_t)(sequence - (uint16_t)leg->highest);
    if (ahead > 0) leg->highest += (uint64_t)ahead;
    if (now - leg->last > leg->silence) leg->silence = now - leg->last;
  }
  leg->last = now;
}

/* Which of the three it is stands in the first byte (RFC 7983). */
static void receive(struct leg *leg) {
  unsigned char bytes[PACKET_BYTES];
  for (ssize_t n; (n = recv(leg->fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0;) {
    if (bytes[0] < 2) {
      int is_success = bytes[0] == 1 && bytes[1] == 1;
      if (!is_success || leg->is_permitted) continue;
      leg->is_permitted = 1;
      shake_hands(leg);
    } else if (bytes[0] >= 20 && bytes[0] <= 63) {
      BIO_write(leg->in, bytes, (int)n);
      shake_hands(leg);
    } else if (bytes[0] >= 128 && bytes[0] <= 191) {
      hear_packet(leg, bytes, (int)n);
    }
  }
}

static void tick(void) {
  double now = now_ms();
  for (struct leg *leg = legs; leg; leg = leg->next) {
    if (now >= leg->next_check) {
      send_check(leg);
      leg->next_check = now + (leg->is_permitted ? CONSENT_EVERY_MS : CHECK_EVERY_MS);
    }
    if (leg->is_permitted && !leg->is_up) DTLSv1_handle_timeout(leg->ssl);
    if (leg->is_up && leg->ssrc) send_packet(leg);
  }
}

/* Commands ----------------------------------------------------------------------------------------------------- */

static void open_leg(const char *args) {
  struct leg *leg = calloc(1, sizeof *leg);
  int port;
  if (sscanf(args, "%63s %d %299s %299s %u", leg->id, &port, leg->user, leg->password, &leg->ssrc) != 5) die(args);
  leg->fd = socket(AF_INET, SOCK_DGRAM, 0);
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(leg->fd, (struct sockaddr *)&to, sizeof to)) die("no socket");
  leg->ssl = SSL_new(context);
  leg->in = BIO_new(BIO_s_mem());
  BIO_set_mem_eof_return(leg->in, -1);
  BIO *out = BIO_new(datagrams);
  BIO_set_data(out, leg);
  BIO_set_init(out, 1);
  SSL_set_bio(leg->ssl, leg->in, out);
  SSL_set_connect_state(leg->ssl);
  SSL_set_options(leg->ssl, SSL_OP_NO_QUERY_MTU);
  DTLS_set_link_mtu(leg->ssl, MTU);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = leg};
  epoll_ctl(ep, EPOLL_CTL_ADD, leg->fd, &event);
  leg->next = legs;
  legs = leg;
  send_check(leg);
  leg->next_check = now_ms() + CHECK_EVERY_MS;
}

static void close_leg(const char *id) {
  for (struct leg **at = &legs; *at; at = &(*at)->next) {
    struct leg *leg = *at;
    if (strcmp(leg->id, id) != 0) continue;
    *at = leg->next;
    close(leg->fd);
    SSL_free(leg->ssl);
    if (leg->is_up) srtp_dealloc(leg->inbound), srtp_dealloc(leg->outbound);
    free(leg);
    return;
  }
}

static void command(char *line) {
  if (strncmp(line, "open ", 5) == 0) return open_leg(line + 5);
  if (strncmp(line, "close ", 6) == 0) return close_leg(line + 6);
  int is_report = strcmp(line, "report") == 0;
  for (struct leg *leg = legs; leg; leg = leg->next) {
    uint64_t due = leg->packets ? leg->highest - leg->lowest + 1 : 0;
    if (is_report)
      printf("leg %s %.3f %.3f %.3f %lu %ld %.3f\n", leg->id, leg->up, leg->first, leg->last, (unsigned long)leg->packets,
             (long)(due - leg->packets), leg->silence);
    else
      leg->silence = 0;
  }
  if (is_report) printf("done\n");
  fflush(stdout);
}

int main(void) {
  prctl(PR_SET_TIMERSLACK, 1UL);
  srtp_init();
  datagrams = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "datagrams");
  BIO_meth_set_write(datagrams, write_datagram);
  BIO_meth_set_ctrl(datagrams, control_datagrams);
  make_context();
  ep = epoll_create1(0);
  int ticks = timerfd_create(CLOCK_MONOTONIC, 0);
  struct timespec each = {.tv_nsec = TICK_MS * 1000000L};
  struct itimerspec steady = {.it_interval = each, .it_value = each};
  timerfd_settime(ticks, 0, &steady, NULL);
  struct epoll_event input_event = {.events = EPOLLIN, .data.ptr = &ep};
  struct epoll_event tick_event = {.events = EPOLLIN, .data.ptr = &ticks};
  epoll_ctl(ep, EPOLL_CTL_ADD, STDIN_FILENO, &input_event);
  epoll_ctl(ep, EPOLL_CTL_ADD, ticks, &tick_event);
  char input[1 << 16];
  size_t len = 0;
  for (;;) {
    struct epoll_event event;
    if (epoll_wait(ep, &event, 1, -1) < 1) continue;
    if (event.data.ptr == &ticks) {
      uint64_t passed;
      if (read(ticks, &passed, sizeof passed) != sizeof passed) continue;
      /* As a browser's encoder: what it was too late for is still sent. */
      while (passed--) tick();
    } else if (event.data.ptr == &ep) {
      ssize_t n = read(STDIN_FILENO, input + len, sizeof input - len);
      if (n <= 0) return 0;
      len += (size_t)n;
      char *from = input;
      for (char *end; (end = memchr(from, '\n', (size_t)(input + len - from))); from = end + 1) {
        *end = 0;
        command(from);
      }
      len = (size_t)(input + len - from);
      memmove(input, from, len);
    } else {
      receive(event.data.ptr);
    }
  }
}
