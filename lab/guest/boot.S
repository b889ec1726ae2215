# SPDX-License-Identifier: Apache-2.0

# The guest: a boot sector that keeps its memory busy, and checks it.
#
# After one fill, it walks its working set for ever. In each page it compares
# what is there with what it left there in the pass before, then writes what
# belongs to this pass. A page that was lost, is stale or came from another
# address is counted as wrong. After each beat, a fixed number of pages, it
# sends one line over COM1 (see lab.instruments.heartbeat):
#
#     <beats since boot> <wrong pages since boot>      8 hex digits each
#
# Both numbers count on for ever, so that a reader who missed lines still
# knows all that was done meanwhile.
#
# Between two beats it does what it is told by one character over COM1:
#
#     s    stay: touch no memory until the next character comes
#     o    power off
#     r    reset
#     w    write the sector WRITTEN of its disk (IDE, the first one)
#
# Parameters, by "as --defsym":
#   PAGES     pages of the working set, a multiple of BEAT
#   FILLED    pages that are filled once, at the beginning; PAGES or more
#   BEAT      pages of one beat
#   PERIOD    counts of the timer (1.193182 MHz, 16 bits) from one beat to
#             the next; 0: as fast as it can
#   BURST     beats, a power of two: for so many the guest walks on, for as
#             many it writes the same pages again as they are; 0: it always
#             walks on

        .intel_syntax noprefix

        .set    PAGE_SIZE, 4096
        .set    MEMORY, 0x1000000       # above 16 MiB nothing else lives
        .set    COM1, 0x3f8
        .set    POWER, 0x604            # of ACPI, where the firmware puts it
        .set    KEYBOARD, 0x64          # its controller has the reset line
        .set    DISK_DATA, 0x1f0
        .set    DISK, 0x1f2             # number of sectors, the first of 6
        .set    WRITTEN, 1024           # in the middle of the image
        .set    CODE, 8                 # selectors in our GDT
        .set    DATA, 16

        .globl  _start
        .code16
_start:
        cli
        xor     ax, ax
        mov     ds, ax
        in      al, 0x92                # open address line 20
        or      al, 2
        out     0x92, al
        lgdt    gdt_register
        mov     eax, cr0
        or      al, 1
        mov     cr0, eax
        ljmp    CODE, offset protected

        .code32
protected:
        mov     ax, DATA
        mov     ds, ax
        mov     ss, ax
        mov     esp, 0x7c00
        cld
        lidt    idt_register
        mov     al, 0xfe                # of all interrupts only the timer's
        out     0x21, al
        mov     al, 0x34                # counter 0 is a rate generator
        out     0x43, al
        mov     al, PERIOD & 0xff
        out     0x40, al
        mov     al, PERIOD >> 8
        out     0x40, al
        mov     dx, COM1 + 3            # 8 bits, no parity
        mov     al, 3
        out     dx, al

# edi  the page at hand
# ebx  number of the pass before
# ebp  beats since boot
# esi  wrong pages since boot
# A page's first and last word both hold its address plus the pass.

        xor     ebx, ebx
        xor     ebp, ebp
        xor     esi, esi
        mov     edi, MEMORY
fill:
        mov     [edi], edi
        mov     [edi + PAGE_SIZE - 4], edi
        add     edi, PAGE_SIZE
        cmp     edi, MEMORY + FILLED * PAGE_SIZE
        jb      fill

next_pass:
        mov     edi, MEMORY
next_beat:
.if BURST
        xor     edx, edx                # 1: walk on, 0: stay here
        test    ebp, BURST
        setz    dl
.endif
        mov     ecx, BEAT
next_page:
        lea     eax, [edi + ebx]
        cmp     [edi], eax
        jne     wrong
        cmp     [edi + PAGE_SIZE - 4], eax
        je      right
wrong:
        inc     esi
right:
.if BURST
        add     eax, edx
.else
        inc     eax
.endif
        mov     [edi], eax
        mov     [edi + PAGE_SIZE - 4], eax
        add     edi, PAGE_SIZE
        dec     ecx
        jnz     next_page

.if BURST
        dec     edx
        jz      done
        sub     edi, BEAT * PAGE_SIZE
done:
.endif
        inc     ebp
        mov     eax, ebp
        call    put_number
        mov     al, ' '
        call    put_character
        mov     eax, esi
        call    put_number
        mov     al, '\n'
        call    put_character
        mov     dx, COM1 + 5
        in      al, dx
        test    al, 1
        jnz     command
obeyed:
.if PERIOD
        sti                             # a tick that came during the beat
        hlt                             # was kept for us: then no pause
        cli
.endif
        cmp     edi, MEMORY + PAGES * PAGE_SIZE
        jb      next_beat
        inc     ebx
        jmp     next_pass

command:                                # dx is COM1 + 5
        in      al, dx
        test    al, 1
        jz      command
        mov     dl, COM1 & 0xff
        in      al, dx
        cmp     al, 'o'
        je      power_off
        cmp     al, 'r'
        je      reset
        cmp     al, 'w'
        je      write
        mov     dl, (COM1 + 5) & 0xff   # stay
        jmp     command
power_off:
        mov     dx, POWER
        mov     ax, 0x2000
        out     dx, ax
reset:
        mov     al, 0xfe
        out     KEYBOARD, al
        jmp     obeyed
write:
        mov     dx, DISK
        mov     al, 1
        out     dx, al
        mov     eax, 0xe0000000 + WRITTEN   # of drive 0, by its number
        mov     ecx, 4
1:      inc     edx
        out     dx, al
        shr     eax, 8
        loop    1b
        inc     edx
        mov     al, 0x30                # the command to write
        out     dx, al
2:      in      al, dx                  # until it asks for the data
        test    al, 8
        jz      2b
        mov     dl, DISK_DATA & 0xff
        mov     ecx, 256
3:      out     dx, ax
        loop    3b
        jmp     obeyed

put_number:                             # eax, as 8 hex digits
        mov     ecx, 8
1:      rol     eax, 4
        push    eax
        and     al, 15
        add     al, '0'
        cmp     al, '9'
        jbe     2f
        add     al, 'a' - '9' - 1
2:      call    put_character
        pop     eax
        loop    1b
        ret

put_character:                          # al
        mov     ah, al
        mov     dx, COM1 + 5            # wait until the UART takes it
1:      in      al, dx
        test    al, 0x20
        jz      1b
        mov     al, ah
        mov     dx, COM1
        out     dx, al
        ret

tick:
        push    eax
        mov     al, 0x20                # end of interrupt
        out     0x20, al
        pop     eax
        iretd

        .balign 8
gdt:    .quad   0
        .quad   0x00cf9a000000ffff      # code, 4 GiB
        .quad   0x00cf92000000ffff      # data, 4 GiB
gdt_register:
        .word   gdt_register - gdt - 1
        .long   gdt
# The firmware left the timer at interrupt 8, the only one that can come.
timer_gate:
        .word   tick, CODE, 0x8e00, 0
idt_register:
        .word   9 * 8 - 1
        .long   timer_gate - 8 * 8

# Glance takes a raw image only with a partition in its boot record.
        .org    446
        .byte   0x80, 0, 0, 0, 0xda, 0, 0, 0
        .long   1, SECTORS - 1
        .org    510
        .word   0xaa55
