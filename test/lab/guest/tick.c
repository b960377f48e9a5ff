/*
 * A guest without operating system: a 32-bit multiboot image that is up in a tenth of a second under plain emulation and
 * lives in 16 MiB. It exists to prove where it runs, that it is still the same run, and that nobody else is it too:
 *
 *   serial    "UP <nonce> <boot>", then "T <tick> <ms>" every 50 ms, "OFF" before it powers off
 *   disk      sector 1 of the first IDE disk, every 100 ms: "CLGT <nonce> <boot> <tick> <ms>"
 *   ping, ARP answered
 *   UDP 7     the question comes back with "|<nonce>|<tick>|<ms>" behind it
 *   UDP 8     "dirty <KiB per second>", "poweroff", "reset", "hang" are obeyed; the answer is "ok"
 *
 * The nonce names one run of the guest and travels with its memory through a live migration; the boot counter is the one
 * found on the disk plus one. Kernel command line: ip=A.B.C.D dirty=KIBPS.
 */
#include "machine.h"

enum { TICK_MS = 50, DISK_MS = 100 };

__attribute__((section(".multiboot"), used, aligned(4)))
static const u32 multiboot_header[] = {0x1BADB002, 3, -(0x1BADB002 + 3)};

/* ---- the state that migrates with the guest ---- */

static const char *command_line = "";
static u32 tick, boot_counter, nonce[2], dirty_kib_per_second, hanging;
static u8 my_mac[6], my_ip[4];

static const char *option(const char *name)
{
	for (const char *at = command_line; *at; at++)
		if ((at == command_line || at[-1] == ' ') && begins(at, name)) {
			while (*at != '=')
				at++;
			return at + 1;
		}
	return 0;
}

/* The devices name and write the state above, so they come after it. */
#include "devices.h"

/* ---- protocols ---- */

static u16 checksum(const u8 *bytes, u32 count)
{
	u32 sum = 0;
	for (u32 i = 0; i < count; i++)
		sum += i & 1 ? bytes[i] : bytes[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static void put16(u8 *at, u16 value) { at[0] = value >> 8; at[1] = value; }
static u16 get16(const u8 *at) { return at[0] << 8 | at[1]; }
static int same_ip(const u8 *at) { return *(const u32 *)at == *(const u32 *)my_ip; }

static void power_off(void)
{
	say("OFF\n");
	out16(0x604, 0x2000);  /* soft off, where QEMU's i440fx has it */
}

static void answer_arp(u8 *frame)
{
	if (frame[21] != 1 || !same_ip(frame + 38))
		return;
	memcpy(frame, frame + 6, 6);
	memcpy(frame + 6, my_mac, 6);
	frame[21] = 2;
	memcpy(frame + 32, frame + 22, 10);
	memcpy(frame + 22, my_mac, 6);
	memcpy(frame + 28, my_ip, 4);
	card_send(frame, 42);
}

/* A gratuitous ARP tells the bridges where the guest is now, as any operating system does when it comes up. Without it a
 * bridge that has seen the guest's MAC behind its uplink would not deliver anything to a guest that starts on its own host. */
static void announce_address(void)
{
	u8 *frame = packet;
	if (!card)
		return;
	memset(frame, 0xff, 6);
	memcpy(frame + 6, my_mac, 6);
	put16(frame + 12, 0x0806);
	put16(frame + 14, 1);      /* Ethernet */
	put16(frame + 16, 0x0800); /* IPv4 */
	frame[18] = 6;
	frame[19] = 4;
	put16(frame + 20, 1);
	memcpy(frame + 22, my_mac, 6);
	memcpy(frame + 28, my_ip, 4);
	memset(frame + 32, 0, 6);
	memcpy(frame + 38, my_ip, 4);
	card_send(frame, 42);
}

/* obey returns the end of the answer that it wrote over the order. */
static char *obey(char *order)
{
	if (begins(order, "dirty "))
		dirty_kib_per_second = parse_number(order + 6);
	else if (begins(order, "hang"))
		hanging = 1;
	else if (begins(order, "reset"))
		out8(0x64, 0xfe);
	else if (begins(order, "poweroff"))
		power_off();
	return put_text(order, "ok");
}

static char *tell_state(char *at)
{
	*at++ = '|';
	at = put_hex(put_hex(at, nonce[0]), nonce[1]);
	*at++ = '|';
	at = put_number(at, tick);
	*at++ = '|';
	return put_number(at, uptime_ms);
}

/* answer_udp returns the new length of the IP packet, or 0 for no answer. */
static u16 answer_udp(u8 *frame, u16 ip_length)
{
	u16 port = get16(frame + 36), udp_length = get16(frame + 38);
	if (udp_length < 8 || udp_length > ip_length - 20 || udp_length > 600)
		return 0;
	char *data = (char *)frame + 42, *end = data + udp_length - 8;
	if (port == 7)
		end = tell_state(end);
	else if (port == 8) {
		*end = 0;
		end = obey(data);
	} else
		return 0;
	udp_length = (u8 *)end - (frame + 34);
	u16 sender = get16(frame + 34);
	put16(frame + 34, port);
	put16(frame + 36, sender);
	put16(frame + 38, udp_length);
	put16(frame + 40, 0); /* no checksum, as IPv4 allows */
	return udp_length + 20;
}

static void answer_frame(u8 *frame, u16 count)
{
	if (count < 42)
		return;
	if (get16(frame + 12) == 0x0806) {
		answer_arp(frame);
		return;
	}
	u16 ip_length = get16(frame + 16);
	if (get16(frame + 12) != 0x0800 || frame[14] != 0x45 || !same_ip(frame + 30) || ip_length < 28 || ip_length + 14 > count)
		return;
	if (frame[23] == 1 && frame[34] == 8) {
		frame[34] = 0;
		put16(frame + 36, 0);
		put16(frame + 36, checksum(frame + 34, ip_length - 20));
	} else if (frame[23] != 17 || !(ip_length = answer_udp(frame, ip_length)))
		return;
	memcpy(frame, frame + 6, 6);
	memcpy(frame + 6, my_mac, 6);
	memcpy(frame + 30, frame + 26, 4);
	memcpy(frame + 26, my_ip, 4);
	put16(frame + 16, ip_length);
	frame[22] = 64;
	put16(frame + 24, 0);
	put16(frame + 24, checksum(frame + 14, 20));
	card_send(frame, ip_length + 14);
}

static void card_poll(void)
{
	for (int budget = 64; card && budget; budget--) {
		if (in8(card + 7) & 0x10) { /* the ring overflowed: begin anew */
			card_start();
			return;
		}
		out8(card, 0x62);
		u8 current = in8(card + 7);
		out8(card, 0x22);
		if (current == next_page)
			return;
		u8 header[4];
		u16 at = next_page << 8;
		card_read(at, header, 4);
		u16 count = (header[2] | header[3] << 8) - 4, first = (RING_END << 8) - at - 4;
		if (count > 1514) {
			card_start();
			return;
		}
		if (first > count)
			first = count;
		card_read(at + 4, packet, first);
		if (count > first)
			card_read(RING_START << 8, packet + first, count - first);
		next_page = header[1];
		out8(card + 3, next_page == RING_START ? RING_END - 1 : next_page - 1);
		answer_frame(packet, count);
	}
}

/* ---- identity, power button, memory ---- */

static u32 stir(u32 value, u32 with)
{
	value = (value ^ with) * 0x9e3779b1u;
	return value ^ value >> 15;
}

/* Wall clock, cycle counter and the last run's sector make a nonce that no other run has. */
static void nonce_make(void)
{
	u32 low, high, mix = 0x12345678;
	for (u8 reg = 0; reg < 10; reg++) {
		out8(0x70, reg);
		mix = stir(mix, in8(0x71));
	}
	for (int i = 0; i < 64; i++)
		mix = stir(mix, sector[i]);
	for (int i = 0; i < 2; i++) {
		for (int round = 0; round < 16; round++) {
			__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
			mix = stir(stir(mix, low), high);
			in8(0x71);
		}
		nonce[i] = mix;
	}
}

static int power_button(void)
{
	if (!(in16(0x600) & 0x100))
		return 0;
	out16(0x600, 0x100);
	return 1;
}

static void dirty_memory(u32 elapsed_ms, u32 memory_end)
{
	static u32 owed_bytes, at = 2u << 20;
	owed_bytes += elapsed_ms * dirty_kib_per_second * 1024 / 1000;
	if (!dirty_kib_per_second)
		owed_bytes = 0;
	for (; owed_bytes >= 4096; owed_bytes -= 4096, at += 4096) {
		if (at + 4096 > memory_end)
			at = 2u << 20;
		*(volatile u32 *)at = uptime_ms ^ at;
	}
}

static void announce(const char *what, u32 first, u32 second)
{
	char line[64], *at = put_text(line, what);
	at = put_number(at, first);
	*at++ = ' ';
	at = put_number(at, second);
	*at++ = '\n';
	*at = 0;
	say(line);
}

static void start(u32 magic, const u32 *info)
{
	u32 known = magic == 0x2BADB002 ? info[0] : 0;
	if (known & 4)
		command_line = (const char *)info[4];
	serial_start();
	disk_start();
	boot_counter++;
	nonce_make();
	card_find();
	if (card)
		card_start();
	const char *ip = option("ip="), *dirty = option("dirty=");
	for (int i = 0; ip && i < 4; i++) {
		my_ip[i] = parse_number(ip);
		while (*ip && *ip != '.')
			ip++;
		ip += *ip == '.';
	}
	if (dirty)
		dirty_kib_per_second = parse_number(dirty);
	out16(0x602, in16(0x602) | 0x100); /* let the power button be seen */
	char line[64], *at = put_text(line, "UP ");
	at = put_hex(put_hex(at, nonce[0]), nonce[1]);
	*at++ = ' ';
	at = put_number(at, boot_counter);
	*put_text(at, "\n") = 0;
	say(line);
	interrupts_start();
}

void guest_main(u32 magic, const u32 *info)
{
	u32 memory_end = (magic == 0x2BADB002 && (info[0] & 1) ? info[2] - 128 : 4096 - 1152) * 1024 + (1u << 20);
	u32 next_tick = 0, next_disk = 0, last = 0;
	start(magic, info);
	for (;;) {
		__asm__ volatile("hlt");
		if (hanging)
			continue;
		u32 now = uptime_ms;
		if (now >= next_tick) {
			next_tick = now + TICK_MS;
			announce("T ", ++tick, now);
		}
		if (now < 2000 && now % 500 == TIMER_MS)
			announce_address();
		card_poll();
		if (power_button())
			power_off();
		if (now >= next_disk) {
			next_disk = now + DISK_MS;
			disk_write();
		}
		dirty_memory(now - last, memory_end);
		last = now;
	}
}

__asm__(".globl _start\n_start: mov $stack_top,%esp\n push %ebx\n push %eax\n call guest_main\n1: hlt\n jmp 1b\n"
	".bss\n.balign 16\n.skip 16384\nstack_top:\n.text\n");
