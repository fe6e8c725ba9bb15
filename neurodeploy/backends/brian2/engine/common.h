// What nearly every generated file includes: compiled once for all of them, and read in the compiler's own form.
#pragma once
#include <algorithm>
#include <climits>
#include <cmath>
#include <ctime>
#include <fstream>
#include <iostream>
#include <map>
#include <random>
#include <vector>

#include "brianlib/stdint_compat.h"
#include "objects.h"
#include "brianlib/common_math.h"
#include "engine.h"
