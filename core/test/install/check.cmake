# Installs into a temporary folder, moves it, and uses it as others would: pkg-config, find_package,
# the interpreter, and Debian's lua5.4 with the module.
# Needs BUILD, FOLDER, CC, GENERATOR, PRECISIONS ("float,double"), LIBDIR (relative), SOURCE.
cmake_minimum_required(VERSION 3.25)
string(REPLACE "," ";" PRECISIONS "${PRECISIONS}")

# run(NAME EXPECTED COMMAND…): the command must succeed and, if EXPECTED is not "", print that.
function(run name expected)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE code OUTPUT_VARIABLE out ERROR_VARIABLE err)
  if(NOT code EQUAL 0)
    message(FATAL_ERROR "${name}: exit code ${code}\n${out}${err}")
  endif()
  if(NOT expected STREQUAL "" AND NOT out MATCHES "${expected}")
    message(FATAL_ERROR "${name}: expected \"${expected}\", got \"${out}\"")
  endif()
  message(STATUS "${name}: ok")
endfunction()

file(REMOVE_RECURSE ${FOLDER})
set(prefix "${FOLDER}/moved prefix")
run("install" "" ${CMAKE_COMMAND} --install ${BUILD} --prefix ${FOLDER}/first)
file(RENAME ${FOLDER}/first ${prefix})

set(libraries "")
foreach(precision IN LISTS PRECISIONS)
  set(suffix "")
  set(program marea)
  if(precision STREQUAL "double")
    set(suffix _double)
    set(program marea-double)
  endif()
  # What was built elsewhere must not help.
  file(READ "${prefix}/${LIBDIR}/pkgconfig/marea${suffix}.pc" text)
  if(text MATCHES "${BUILD}|${FOLDER}")
    message(FATAL_ERROR "marea${suffix}.pc names a folder of this machine:\n${text}")
  endif()
  list(APPEND libraries marea_shared${suffix} marea_static${suffix})

  run("C with pkg-config (${precision})" "" ${CMAKE_COMMAND} -E env
    "PKG_CONFIG_PATH=${prefix}/${LIBDIR}/pkgconfig" sh -c
    "eval \"'${CC}' -std=c11 -Wall -Wextra -Werror '${SOURCE}/consumer.c' -o '${FOLDER}/plain${suffix}' \
      $(pkg-config --cflags --libs marea${suffix}) -Wl,-rpath,'${prefix}/${LIBDIR}'\"")
  run("its program (${precision})" "${precision} right" ${FOLDER}/plain${suffix})
  run("interpreter (${precision})" "${precision} right" "${prefix}/bin/${program}"
    ${SOURCE}/check.lua)
endforeach()
if(PRECISIONS STREQUAL "float;double")
  run("marea --double" "double" "${prefix}/bin/marea" --double -e "print(require('marea').precision)")
endif()

string(REPLACE ";" "," commas "${libraries}")
run("find_package" "" ${CMAKE_COMMAND} -S ${SOURCE} -B ${FOLDER}/consumer -G ${GENERATOR}
  -DCMAKE_C_COMPILER=${CC} "-DCMAKE_PREFIX_PATH=${prefix}" -DLIBRARIES=${commas})
run("its build" "" ${CMAKE_COMMAND} --build ${FOLDER}/consumer)
foreach(library IN LISTS libraries)
  run("its program with ${library}" "right" ${FOLDER}/consumer/with_${library})
endforeach()

find_program(lua lua5.4)
if(lua AND "float" IN_LIST PRECISIONS)
  run("lua5.4" "float right" ${CMAKE_COMMAND} -E env
    "LUA_PATH=${prefix}/share/lua/5.4/?.lua\;${prefix}/share/lua/5.4/?/init.lua"
    "LUA_CPATH=${prefix}/lib/lua/5.4/?.so" ${lua} ${SOURCE}/check.lua)
endif()
file(REMOVE_RECURSE ${FOLDER})
