#include "master/resources/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/mem.h"

void handover_free(struct handover *b)
{
	for (int i = 0; i < b->count; i++) {
		mem_free(&b->items[i].name);
		fd_close(&b->items[i].fd);
	}
	mem_free(&b->items);
	b->count = 0;
}

/* The handover owns name and fd from now on. */
static void append(struct handover *b, char *name, int fd)
{
	b->items = mem_realloc(b->items, (size_t)(b->count + 1) * sizeof(*b->items));
	b->items[b->count++] = (struct handover_item){name, fd};
}

int handover_add(struct handover *b, const char *name, int fd, struct err *err)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);

	if (copy < 0)
		return err_set(err, errno, "copy the descriptor of '%s'", name);
	append(b, mem_strdup(name), copy);
	return 0;
}

int handover_take(struct handover *b, const char *name)
{
	for (int i = 0; i < b->count; i++) {
		if (strcmp(b->items[i].name, name) != 0)
			continue;
		int fd = b->items[i].fd;
		mem_free(&b->items[i].name);
		b->items[i] = b->items[--b->count];
		return fd;
	}
	return -1;
}

char *handover_text_new(const struct handover *b, struct err *err)
{
	AUTO(buf_free) struct buf text = {0};

	for (int i = 0; i < b->count; i++) {
		if (fd_set_cloexec(b->items[i].fd, false, err) < 0)
			return NULL;
		buf_printf(&text, "%s%s:%d", i > 0 ? "," : "", b->items[i].name, b->items[i].fd);
	}
	return mem_strdup(buf_str(&text));
}

/* Parses "name:number". Standard streams cannot be handed over. */
static int parse_one(const char *word, struct handover *b, struct err *err)
{
	int name_len = 0, fd = -1, end = 0;

	if (sscanf(word, "%*[^:]%n:%d%n", &name_len, &fd, &end) != 1 || word[end] != '\0' || fd <= STDERR_FILENO)
		return err_set(err, EINVAL, "'%s' is not name:descriptor", word);
	if (fd_set_cloexec(fd, true, err) < 0)
		return err_prefix(err, "'%s'", word);
	append(b, mem_strndup(word, (size_t)name_len), fd);
	return 0;
}

int handover_parse(const char *text, struct handover *b, struct err *err)
{
	AUTO(handover_free) struct handover found = {0};
	AUTO(mem_free) char *copy = mem_strdup(text);
	char *rest = copy, *word;

	while ((word = strsep(&rest, ",")) != NULL)
		if (parse_one(word, &found, err) < 0)
			return -1;
	handover_free(b);
	*b = found;
	found = (struct handover){0};
	return 0;
}
