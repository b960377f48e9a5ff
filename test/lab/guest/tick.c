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
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;

enum { TICK_MS = 50, DISK_MS = 100, TIMER_MS = 10 };

__attribute__((section(".multiboot"), used, aligned(4)))
static const u32 multiboot_header[] = {0x1BADB002, 3, -(0x1BADB002 + 3)};

static inline void out8(u16 port, u8 value) { __asm__ volatile("outb %0,%1" : : "a"(value), "Nd"(port)); }
static inline void out16(u16 port, u16 value) { __asm__ volatile("outw %0,%1" : : "a"(value), "Nd"(port)); }
static inline void out32(u16 port, u32 value) { __asm__ volatile("outl %0,%1" : : "a"(value), "Nd"(port)); }
static inline u8 in8(u16 port) { u8 value; __asm__ volatile("inb %1,%0" : "=a"(value) : "Nd"(port)); return value; }
static inline u16 in16(u16 port) { u16 value; __asm__ volatile("inw %1,%0" : "=a"(value) : "Nd"(port)); return value; }
static inline u32 in32(u16 port) { u32 value; __asm__ volatile("inl %1,%0" : "=a"(value) : "Nd"(port)); return value; }

/* ---- memory and text ---- */

void *memcpy(void *to, const void *from, u32 count)
{
	u8 *target = to;
	const u8 *source = from;
	while (count--)
		*target++ = *source++;
	return to;
}

void *memset(void *where, int value, u32 count)
{
	u8 *target = where;
	while (count--)
		*target++ = value;
	return where;
}

static int begins(const char *text, const char *with)
{
	while (*with)
		if (*text++ != *with++)
			return 0;
	return 1;
}

static char *put_text(char *at, const char *text)
{
	while (*text)
		*at++ = *text++;
	return at;
}

static char *put_number(char *at, u32 value)
{
	char digits[10];
	int count = 0;
	do
		digits[count++] = '0' + value % 10;
	while (value /= 10);
	while (count)
		*at++ = digits[--count];
	return at;
}

static char *put_hex(char *at, u32 value)
{
	for (int shift = 28; shift >= 0; shift -= 4)
		*at++ = "0123456789abcdef"[value >> shift & 15];
	return at;
}

static u32 parse_number(const char *text)
{
	u32 value = 0;
	while (*text >= '0' && *text <= '9')
		value = value * 10 + (*text++ - '0');
	return value;
}

/* ---- the state that migrates with the guest ---- */

static const char *command_line = "";
static volatile u32 uptime_ms;
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

/* ---- serial line ---- */

static void serial_start(void)
{
	out8(0x3f9, 0);    /* no interrupts */
	out8(0x3fb, 0x80);
	out8(0x3f8, 1);    /* 115200 */
	out8(0x3f9, 0);
	out8(0x3fb, 3);
	out8(0x3fa, 7);
}

static void say(const char *text)
{
	for (; *text; text++) {
		for (int patience = 100000; patience && !(in8(0x3fd) & 0x20); patience--)
			;
		out8(0x3f8, *text);
	}
}

/* ---- timer: the only interrupt ---- */

static struct { u16 low, selector; u8 zero, type; u16 high; } __attribute__((packed)) interrupt_table[48];
static u32 segments[] = {0, 0, 0x0000ffff, 0x00cf9a00, 0x0000ffff, 0x00cf9200};

void timer_tick(void)
{
	uptime_ms += TIMER_MS;
	out8(0x20, 0x20);
}

__asm__(".globl timer_entry\ntimer_entry: pusha\n cld\n call timer_tick\n popa\n iret\n"
	".globl ignore_entry\nignore_entry: iret\n");
void timer_entry(void);
void ignore_entry(void);

static void interrupts_start(void)
{
	struct { u16 limit; u32 base; } __attribute__((packed)) table = {sizeof segments - 1, (u32)segments};
	__asm__ volatile("lgdt %0\n ljmp $8,$1f\n1: mov $16,%%eax\n mov %%eax,%%ds\n mov %%eax,%%es\n mov %%eax,%%ss"
			 : : "m"(table) : "eax", "memory");
	for (int i = 0; i < 48; i++) {
		u32 entry = (u32)(i == 32 ? timer_entry : ignore_entry);
		interrupt_table[i].low = entry;
		interrupt_table[i].high = entry >> 16;
		interrupt_table[i].selector = 8;
		interrupt_table[i].type = 0x8e;
	}
	table.limit = sizeof interrupt_table - 1;
	table.base = (u32)interrupt_table;
	__asm__ volatile("lidt %0" : : "m"(table));
	out8(0x20, 0x11); out8(0x21, 32); out8(0x21, 4); out8(0x21, 1);
	out8(0xa0, 0x11); out8(0xa1, 40); out8(0xa1, 2); out8(0xa1, 1);
	out8(0x21, 0xfe); out8(0xa1, 0xff);
	u32 divisor = 1193182 / (1000 / TIMER_MS);
	out8(0x43, 0x34); out8(0x40, divisor); out8(0x40, divisor >> 8);
	__asm__ volatile("sti");
}

/* ---- disk: IDE in its oldest mode. A write is begun here and finished by the drive while we do other things; a drive
 * that is still busy is skipped, so that lost storage never silences the network. ---- */

enum { IDE = 0x1f0, IDE_COMMAND = 0x1f7, IDE_CONTROL = 0x3f6, BUSY = 0x80, WANTS_DATA = 0x08, FAILED = 0x01 };
static u16 sector[256];
static u32 disk_there, disk_errors;

static int disk_wait(u8 set, u8 clear, u32 patience)
{
	while (patience--) {
		u8 status = in8(IDE_COMMAND);
		if ((status & set) == set && !(status & clear))
			return 1;
	}
	return 0;
}

static void disk_command(u8 command)
{
	out8(IDE_CONTROL, 2); /* no interrupts */
	out8(IDE + 6, 0xe0);
	out8(IDE + 2, 1);
	out8(IDE + 3, 1);     /* sector 1 */
	out8(IDE + 4, 0);
	out8(IDE + 5, 0);
	out8(IDE_COMMAND, command);
}

static void disk_start(void)
{
	out8(IDE + 6, 0xe0);
	u8 status = in8(IDE_COMMAND);
	if (status == 0xff || status == 0 || !disk_wait(0, BUSY, 1000000))
		return;
	disk_command(0x20);
	if (!disk_wait(WANTS_DATA, BUSY | FAILED, 3000000))
		return;
	for (int i = 0; i < 256; i++)
		sector[i] = in16(IDE);
	disk_there = 1;
	const char *text = (const char *)sector;
	if (!begins(text, "CLGT "))
		return;
	for (text += 5; *text && *text != ' '; text++)
		;
	boot_counter = parse_number(text + 1);
}

static void disk_write(void)
{
	u8 status = in8(IDE_COMMAND);
	if (!disk_there || (status & BUSY))
		return;
	if ((status & FAILED) && !disk_errors++)
		say("E disk\n");
	memset(sector, 0, sizeof sector);
	char *at = put_text((char *)sector, "CLGT ");
	at = put_hex(put_hex(at, nonce[0]), nonce[1]);
	*at++ = ' ';
	at = put_number(at, boot_counter);
	*at++ = ' ';
	at = put_number(at, tick);
	*at++ = ' ';
	at = put_number(at, uptime_ms);
	*at = '\n';
	disk_command(0x30);
	if (!disk_wait(WANTS_DATA, BUSY, 10000))
		return;
	for (int i = 0; i < 256; i++)
		out16(IDE, sector[i]);
}

/* ---- network card: NE2000 on PCI. Page registers select four kinds of ports; packets lie in a ring of 256-byte pages. ---- */

enum { RING_START = 0x4c, RING_END = 0x80, SEND_PAGE = 0x40 };
static u16 card;
static u8 next_page;
static u8 packet[1600];

static u32 pci_read(u32 device, u32 reg)
{
	out32(0xcf8, 0x80000000u | device << 11 | reg);
	return in32(0xcfc);
}

static void card_read(u16 from, u8 *to, u16 count)
{
	out8(card + 10, count); out8(card + 11, count >> 8);
	out8(card + 8, from); out8(card + 9, from >> 8);
	out8(card, 0x0a);
	while (count--)
		*to++ = in8(card + 16);
	out8(card + 7, 0x40);
}

static void card_find(void)
{
	for (u32 device = 0; device < 32 && !card; device++)
		if (pci_read(device, 0) == 0x802910ec) {
			card = pci_read(device, 0x10) & ~3u;
			pci_read(device, 4);
			out16(0xcfc, 5); /* I/O ports and bus mastering on */
		}
}

static void card_start(void)
{
	u8 prom[12];
	out8(card + 0x1f, in8(card + 0x1f));
	for (int patience = 1000; patience && !(in8(card + 7) & 0x80); patience--)
		;
	out8(card, 0x21);
	out8(card + 14, 0x48);
	card_read(0, prom, 12);
	for (int i = 0; i < 6; i++)
		my_mac[i] = prom[2 * i];
	out8(card + 12, 0x04);         /* accept broadcast */
	out8(card + 13, 0x02);         /* loopback while setting up */
	out8(card + 1, RING_START); out8(card + 2, RING_END); out8(card + 3, RING_START);
	out8(card + 7, 0xff);
	out8(card + 15, 0);            /* no interrupts: the timer polls */
	out8(card, 0x61);
	for (int i = 0; i < 6; i++)
		out8(card + 1 + i, my_mac[i]);
	next_page = RING_START + 1;
	out8(card + 7, next_page);
	out8(card, 0x21);
	out8(card + 13, 0);
	out8(card, 0x22);
}

static void card_send(u8 *frame, u16 count)
{
	if (count < 60) {
		memset(frame + count, 0, 60 - count);
		count = 60;
	}
	out8(card + 10, count); out8(card + 11, count >> 8);
	out8(card + 8, 0); out8(card + 9, SEND_PAGE);
	out8(card, 0x12);
	for (u16 i = 0; i < count; i++)
		out8(card + 16, frame[i]);
	out8(card + 7, 0x40);
	out8(card + 4, SEND_PAGE); out8(card + 5, count); out8(card + 6, count >> 8);
	out8(card, 0x26);
}

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
