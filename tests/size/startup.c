/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cortex-M4 on qemu's mps2-an386: vectors, memory, and the debugger's calls
 * (Arm semihosting) for words, files and the exit status.
 */
#include "size/startup.h"

#include <string.h>

extern uint8_t stack_top[], data_load[], data_start[], data_end[], bss_start[], bss_end[];

void
board_reset(void)
{
	memcpy(data_start, data_load, (size_t)(data_end - data_start));
	memset(bss_start, 0, (size_t)(bss_end - bss_start));
	board_exit(board_main());
}

static void
fault(void)
{
	board_say("fault\n");
	board_exit(2);
}

typedef void handler(void);
__attribute__((section(".vectors"), used)) static handler *const vectors[16] = {
	(handler *)stack_top, board_reset, fault, fault, fault, fault, fault
};

static int
call(int what, const void *argument)
{
	register int r0 __asm__("r0") = what;
	register const void *r1 __asm__("r1") = argument;

	__asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
	return r0;
}

void
board_say(const char *words)
{
	(void)call(0x04, words); /* SYS_WRITE0 */
}

void
board_say_number(const char *words, unsigned n)
{
	char digits[12];
	size_t at = sizeof(digits) - 1;

	digits[at] = '\0';
	digits[--at] = '\n';
	do
		digits[--at] = (char)('0' + n % 10);
	while ((n /= 10) != 0);
	board_say(words);
	board_say(digits + at);
}

void
board_exit(int status)
{
	const unsigned block[2] = { 0x20026, (unsigned)status }; /* ADP_Stopped_ApplicationExit */

	(void)call(0x20, block); /* SYS_EXIT_EXTENDED */
	for (;;)
		;
}

bool
board_read(const char *name, struct mst_buf *out)
{
	const unsigned open[3] = { (unsigned)name, 1, strlen(name) }; /* "rb" */
	int file = call(0x01, open), left;
	unsigned read[3];

	if (file < 0)
		return false;
	read[0] = (unsigned)file;
	read[1] = (unsigned)(out->ptr + out->len);
	read[2] = (unsigned)(out->cap - out->len);
	left = call(0x06, read);
	if (left < 0 || (unsigned)left > read[2])
		return false;
	out->len = out->cap - (unsigned)left;
	return true;
}

#define PAINT 0xa5

static uint8_t *
here(void)
{
	uint8_t *sp;

	__asm__ volatile("mov %0, sp" : "=r"(sp));
	return sp;
}

/* A little above the deepest byte of this very function. */
#define OWN 64

void
board_stack_paint(size_t bytes)
{
	volatile uint8_t *p = here() - OWN;

	for (; bytes > 0; bytes--)
		*--p = PAINT;
}

size_t
board_stack_used(size_t bytes)
{
	volatile uint8_t *top = here() - OWN, *p = top - bytes;

	while (p < top && *p == PAINT)
		p++;
	return (size_t)(top - p);
}
