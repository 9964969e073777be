with file as (
    select uid, trans_depth, part, filename as name, extension, coalesce(mime_type, '') as type,
        lower(coalesce(content_type, '')) as declared, inside = 'encrypted' as encrypted, null as within, filename_raw
    from attachments
    union all
    select uid, trans_depth, part, other, lower(regexp_extract(other, '\.([^.\s]+)[.\s]*$', 1)), coalesce(mime_type, ''), '',
        false, null, other
    from (select *, unnest(other_names) as other from attachments)
    union all
    select m.uid, m.trans_depth, m.part, m.name, m.extension, coalesce(m.mime_type, ''), '', m.encrypted,
        coalesce(a.filename, 'an archive'), m.path
    from members m left join attachments a using (uid, trans_depth, part)
), holder as (
    -- The innermost message inside the mail that a part belongs to.
    select a.uid, a.trans_depth, a.part, max_by(e.part, length(e.part)) as inside_part,
        max_by(e.from_address, length(e.part)) as inside_from
    from attachments a join enclosed e using (uid, trans_depth)
    where starts_with(a.part, e.part || '.') group by a.uid, a.trans_depth, a.part
), kind as (
    select *, coalesce(' in ' || within, '')
            || if(inside_part is null, '', ' in the message inside' || coalesce(' from ' || inside_from, '')) as place, case
        when type in ('application/x-msdownload', 'application/x-dosexec', 'application/vnd.microsoft.portable-executable',
                'application/x-executable', 'application/x-elf', 'application/x-mach-binary', 'application/x-sharedlib')
            or extension in ('exe', 'scr', 'com', 'pif', 'cpl', 'dll', 'msi', 'msix', 'appx', 'jar', 'apk', 'sys', 'ocx', 'gadget',
                'xll', 'msc') then 'program'
        when type in ('application/x-ms-shortcut', 'application/x-mswinurl')
            or extension in ('lnk', 'url', 'scf', 'library-ms', 'search-ms', 'settingcontent-ms', 'website', 'desktop')
            then 'shortcut'
        when extension in ('js', 'jse', 'vbs', 'vbe', 'wsf', 'wsh', 'wsc', 'hta', 'bat', 'cmd', 'ps1', 'psm1', 'sh', 'reg', 'chm',
                'inf', 'py', 'sct', 'xsl', 'ade', 'rdp') then 'script'
        when type in ('application/x-iso9660-image', 'application/x-vhd', 'application/x-virtualbox-vhd')
            or extension in ('iso', 'img', 'vhd', 'vhdx', 'udf', 'dmg') then 'disk image'
        when type in ('application/onenote', 'application/msonenote') or extension in ('one', 'onepkg') then 'OneNote notebook'
        when extension in ('docm', 'dotm', 'xlsm', 'xltm', 'xlam', 'xlsb', 'pptm', 'potm', 'ppam', 'ppsm')
            or within is not null and lower(name) = 'vbaproject.bin' then 'document with macros'
        when within is null and (extension in ('html', 'htm', 'xhtml', 'shtml', 'mht', 'svg') or type = 'image/svg+xml'
                or type in ('', 'text/html') and declared in ('text/html', 'image/svg+xml') and name is not null)
            then 'page'
        end as kind
    from file left join holder using (uid, trans_depth, part)
)
select * from kind
