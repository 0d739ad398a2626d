# SPDX-License-Identifier: Apache-2.0
# What `make install` puts beside the programs: the device library with its
# headers, manual pages, completion, units and examples. Included at the end of
# the top CMakeLists.txt. Pages and completion that come from the table of
# commands are made by the muster that was just built.
if(NOT TARGET muster)
	return()
endif()

set(gen ${CMAKE_BINARY_DIR}/packaging)
install(CODE "
	file(MAKE_DIRECTORY \"${gen}\")
	foreach(made man:muster.1 completion:muster.bash)
		string(REPLACE \":\" \";\" made \"\${made}\")
		list(GET made 0 verb)
		list(GET made 1 file)
		execute_process(COMMAND \"$<TARGET_FILE:muster>\" \"\${verb}\"
			OUTPUT_FILE \"${gen}/\${file}\" COMMAND_ERROR_IS_FATAL ANY)
	endforeach()")

install(DIRECTORY include/muster DESTINATION include FILES_MATCHING PATTERN "*.h" PATTERN "*.def")
install(TARGETS muster-core ARCHIVE DESTINATION lib)
install(FILES ${gen}/muster.1 DESTINATION share/man/man1)
install(FILES ${gen}/muster.bash DESTINATION share/bash-completion/completions RENAME muster)
install(FILES docs/man/musterd.conf.5 DESTINATION share/man/man5)
install(FILES docs/man/musterd.8 DESTINATION share/man/man8)
install(FILES docs/man/muster-agent.8 DESTINATION share/man/man8 OPTIONAL)
install(FILES README.md ARCHITECTURE.md SECURITY.md CHANGELOG.md LICENSE DESTINATION share/doc/muster)
install(DIRECTORY packaging/examples packaging/systemd DESTINATION share/doc/muster
	FILES_MATCHING PATTERN "*.conf" PATTERN "*.example")

# The prefix is known at install time only: `cmake --install --prefix`. DESTDIR
# stands before it in the tree, never in a unit.
install(CODE "
	set(prefix \"\${CMAKE_INSTALL_PREFIX}\")
	foreach(unit musterd muster-agent)
		configure_file(\"${CMAKE_SOURCE_DIR}/packaging/systemd/\${unit}.service.in\"
			\"${gen}/\${unit}.service\" @ONLY)
	endforeach()")
install(FILES ${gen}/musterd.service ${gen}/muster-agent.service DESTINATION lib/systemd/system)
install(FILES packaging/systemd/muster.sysusers DESTINATION lib/sysusers.d RENAME muster.conf)
