# What is installed where, and the Debian package: `cpack --config build/CPackConfig.cmake -G DEB`, or the target `package`.
# Paths begin at the root of a file system, since a daemon's places are fixed: cmake --install build --prefix /some/root
if(CMAKE_INSTALL_PREFIX_INITIALIZED_TO_DEFAULT)
  set(CMAKE_INSTALL_PREFIX "/" CACHE PATH "Root of the file system to install to" FORCE)
endif()

set(packaging "${PROJECT_SOURCE_DIR}/tools/packaging")
set(made "${PROJECT_BINARY_DIR}/packaging")
set(documents usr/share/doc/sluice)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME sluice)
set(CPACK_PACKAGE_CONTACT "The authors of Sluice <sluice@example.org>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "booking engine: waiting room, seats and payment")
set(CPACK_PACKAGE_DESCRIPTION "Holds back a flood of people and lets them through in order: a waiting\n\
room in front, seats and stock behind it, payment at the end. One daemon, or\n\
several as one replicated system; no other database or broker is needed.")
set(CPACK_PACKAGING_INSTALL_PREFIX "/")
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "adduser, tzdata") # and the libraries, found by shlibdeps
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "nginx")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA "${made}/conffiles;${packaging}/postinst;${packaging}/prerm;${packaging}/postrm")

file(WRITE "${made}/conffiles" "/etc/sluice/sluiced.toml\n")
string(TIMESTAMP SLUICE_BUILD_DATE "%a, %d %b %Y %H:%M:%S +0000" UTC)
configure_file("${packaging}/changelog.in" "${made}/changelog" @ONLY)
execute_process(COMMAND gzip -9nkf "${made}/changelog" COMMAND_ERROR_IS_FATAL ANY)

# A strict umask must not end in folders the daemon can not enter.
file(WRITE "${made}/folders.cmake" [[
file(CHMOD_RECURSE "${CPACK_TEMPORARY_DIRECTORY}/etc" "${CPACK_TEMPORARY_DIRECTORY}/usr" DIRECTORY_PERMISSIONS
     OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
]])
set(CPACK_PRE_BUILD_SCRIPTS "${made}/folders.cmake")

install(TARGETS sluiced sluicectl RUNTIME DESTINATION usr/bin)
install(FILES "${PROJECT_SOURCE_DIR}/cluster/sluiced.service" DESTINATION usr/lib/systemd/system)
install(FILES "${packaging}/sluiced.toml" DESTINATION etc/sluice)
install(FILES "${packaging}/README.Debian" "${packaging}/copyright" "${made}/changelog.gz" DESTINATION ${documents})
install(DIRECTORY "${PROJECT_SOURCE_DIR}/cluster/samples/" DESTINATION ${documents}/examples)

include(CPack)
