# SPDX-License-Identifier: Apache-2.0
# Planted bugs: each is one replacement in one file of core/slots, compiled into
# a device of its own, which the same schedules must catch. The text that is
# replaced must be there exactly once, so that a change of core/slots cannot turn
# a planted bug into nothing.
function(planted name file old new)
	set(source ${CMAKE_SOURCE_DIR}/core/slots/${file})
	set(out ${CMAKE_CURRENT_BINARY_DIR}/planted/${name}.c)
	set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${source})
	file(READ ${source} text)
	string(FIND "${text}" "${old}" first)
	string(FIND "${text}" "${old}" last REVERSE)
	if(first EQUAL -1 OR NOT first EQUAL last)
		message(FATAL_ERROR "planted bug ${name}: ${file} does not have its text once")
	endif()
	string(REPLACE "${old}" "${new}" text "${text}")
	file(GENERATE OUTPUT ${out} CONTENT "${text}")
	# The changed object comes before the archive, whose own is then not taken.
	add_executable(planted_${name} planted.c ${out})
	target_compile_options(planted_${name} PRIVATE -Wno-unused)
	target_compile_definitions(planted_${name} PRIVATE PLANTED="${name}")
	target_link_libraries(planted_${name} PRIVATE powercut-plan)
	add_test(NAME powercut/planted_${name} COMMAND planted_${name})
endfunction()

planted(counter_at_arm slots.c
	"	next.state = MST_SLOT_PENDING;"
	"	s->counter[next.slot[next.trial].counter].reached.number = next.slot[next.trial].number;
	if (slots_log_put(s, KEY_COUNTER + next.slot[next.trial].counter) != MST_OK)
		return MST_E_SLOT_WORN;
	next.state = MST_SLOT_PENDING;")
planted(counter_before_confirmation slots.c
	"	if ((e = settle(s)) != MST_OK || (e = change(s, &next)) != MST_OK)"
	"	recorded(s, next.active, &s->counter[next.slot[next.active].counter].reached);
	if ((e = slots_log_put(s, KEY_COUNTER + next.slot[next.active].counter)) != MST_OK ||
	    (e = change(s, &next)) != MST_OK)")
planted(counter_not_derived slots.c
	"	end_journal(s);
	derive_counter(s);"
	"	end_journal(s);")
planted(single_copy slots_log.c
	"	unsigned first = s->copy[0].torn ? 1 : 0;
"
	"	unsigned first = 0;

	top_up(s, 0);
	return slots_copy_whole(s, 0) ? MST_OK : rebuild(s, 0, true);
")
planted(last_copy_erased slots_log.c
	"e = rebuild(s, i, (kept >> (1 - i) & 1) != 0);"
	"e = rebuild(s, i, kept <= UINT32_MAX);")
planted(journal_cleared_first slots.c
	"	if ((c = slots_counter_find(s, image_id(image))) == MST_SLOTS_COUNTERS)"
	"	if ((e = mst_slots_journal_clear(s)) != MST_OK)
		return e;
	if ((c = slots_counter_find(s, image_id(image))) == MST_SLOTS_COUNTERS)")
planted(staged_unverified slots.c
	"	if ((e = verified(slot, image, verify, ctx, &found)) != MST_OK)
		return e;"
	"	(void)verify, (void)ctx, (void)found;")
planted(booted_unverified slots.c
	"	if (verified(slot, &expected, verify, ctx, &found) != MST_OK)
		return false;"
	"	(void)verify, (void)ctx, found = expected;")
planted(trial_not_counted slots.c
	"found.kind == MST_BOOT_TRIAL && count_trial(s) != MST_OK"
	"found.kind == MST_BOOT_TRIAL && false && count_trial(s) != MST_OK")
planted(trial_counted_after slots.c
	"	next.state = MST_SLOT_TRIAL;
	if (next.tries"
	"	next.state = next.tries == 0 ? MST_SLOT_TRIAL : MST_SLOT_PENDING;
	if (next.tries")
planted(revert_not_noted slots.c
	"	next.state = MST_SLOT_REVERTED;"
	"	next.state = MST_SLOT_TRIAL;")
planted(no_crc slots_code.c
	"	    crc32(mst_span_of(p, HEAD + len)) != slots_u32(p + HEAD + len) ||"
	"	    false ||")
planted(number_given_twice slots_log.c
	"	s->at[key] = ++s->seq;"
	"	s->at[key] = s->seq;")
planted(downgrade slots.c
	"	if (image->number < s->counter[c].reached.number)"
	"	if (image->number + 1 < s->counter[c].reached.number)")
planted(not_erased slot_writer.c
	"	if (w->at % f->sector_size == 0 &&"
	"	if (w->at == 0 &&")
planted(active_opened slots.c
	"	other = 1u - running;"
	"	other = running;")
planted(no_read_back slots_log.c
	"if ((e = f->read(f->ctx, at + i, back, sizeof(back))) == MST_OK &&"
	"if (false && (e = f->read(f->ctx, at + i, back, sizeof(back))) == MST_OK &&")
