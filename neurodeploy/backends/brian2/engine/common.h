// What nearly every generated file includes.
#pragma once
#include "library.h"

#include "brianlib/stdint_compat.h"
#include "objects.h"
#include "brianlib/common_math.h"
#include "engine.h"
